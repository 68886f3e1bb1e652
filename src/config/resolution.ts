import { resolve } from "node:path";
import type { ConfigMode } from "./config.ts";
import type { Environment } from "./environment.ts";
import { isPlaceholder } from "./environment.ts";
import type { Findings, Sources } from "./findings.ts";
import { formatKeyPath, type KeyPath } from "./key-path.ts";
import { Secret } from "./secret.ts";

/** What the steps that turn settings into a `Config` share. */
export interface Resolution {
  readonly mode: ConfigMode;
  readonly cwd: string;
  readonly environment: Environment;
  readonly sources: Sources;
  readonly findings: Findings;
  /** Keys whose value came from a variable or a flag: taken as it is, where a file's may hold references. */
  readonly overridden: ReadonlySet<string>;
  /** Providers that the file has an entry for. */
  readonly configuredProviders: ReadonlySet<string>;
  isWritableDirectory(path: string): boolean;
}

const REFERENCE = /\$\{([^}]*)\}/g;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** A name in this form is no secret, and is repeated in errors. */
const SHOWN_NAME = /^[A-Z][A-Z0-9_]*$/;

/** Makes a path absolute; "~/" is the user's home. */
export function resolvePath(resolution: Resolution, path: string): string {
  const home = resolution.environment.get("HOME")?.value;
  const expanded = home !== undefined && path.startsWith("~/") ? resolve(home, path.slice(2)) : path;
  return resolve(resolution.cwd, expanded);
}

/**
 * The secret at a path, with its references replaced. `null` if there is none, it is a placeholder, or it is wrong;
 * the last two have been told.
 */
export function resolveSecret(
  resolution: Resolution,
  path: KeyPath,
  text: string | undefined,
  allowClear = false,
): Secret | null {
  if (text === undefined) return null;
  const { findings, sources } = resolution;
  if (resolution.overridden.has(formatKeyPath(path))) return new Secret(text, sources.of(path));
  if (isPlaceholder(text)) {
    findings.warn(path, "this is a placeholder and counts as not given");
    return null;
  }
  if (text.includes("${")) return replaceReferences(resolution, path, text);
  if (!allowClear)
    findings.warn(path, `this holds a secret in clear; put it into a variable and write "\${NAME}" here`);
  return new Secret(text, sources.of(path));
}

function replaceReferences(resolution: Resolution, path: KeyPath, text: string): Secret | null {
  const { findings } = resolution;
  const problems: string[] = [];
  let origin: string | undefined;
  const value = text.replace(REFERENCE, (_, name: string) => {
    const variable = VARIABLE_NAME.test(name) ? resolution.environment.get(name) : undefined;
    if (variable === undefined) {
      const which = SHOWN_NAME.test(name) ? `the variable ${name}, which` : "a variable that";
      problems.push(`refers to ${which} is not set in the environment or .env`);
    }
    origin ??= variable?.source;
    return variable?.value ?? "";
  });
  if (text.replace(REFERENCE, "").includes("${")) problems.push(`has "\${" without "}"`);
  if (problems.length > 0) {
    findings.error(path, problems.join(", and "));
    return null;
  }
  return new Secret(value, origin ?? resolution.sources.of(path));
}
