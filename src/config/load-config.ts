import { relative, resolve } from "node:path";
import type { Config, ConfigError, ConfigMode, ConfigWarning } from "./config.ts";
import type { ConfigFlags } from "./config-flags.ts";
import { type DotEnv, parseDotEnv } from "./dot-env.ts";
import { Environment } from "./environment.ts";
import { Findings, Sources } from "./findings.ts";
import { formatKeyPath } from "./key-path.ts";
import { overlaySettings } from "./overlay-settings.ts";
import { parseYamlFile } from "./parse-yaml-file.ts";
import { reportIssues } from "./report-issues.ts";
import type { Resolution } from "./resolution.ts";
import { resolveConfig } from "./resolve-config.ts";
import { type Settings, settingsSchema } from "./settings-schema.ts";
import { getAt, isTree, removeAt, type Tree } from "./tree.ts";

/** Everything that loading depends on, so that it depends on nothing else. */
export interface LoadConfigInput {
  readonly mode: ConfigMode;
  readonly flags: ConfigFlags;
  /** The process's environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. `.env`, `parallama.yaml` and relative paths start here. */
  readonly cwd: string;
  /** The text of a file; `undefined` if there is none; throws if it cannot be read. */
  readonly readFile: (path: string) => string | undefined;
  /** Asked once, for the system's log directory. Absent: no directory is. */
  readonly isWritableDirectory?: (path: string) => boolean;
}

export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      /** Where each key of the file's schema that is set came from; a key that is not in it has its default. */
      readonly sources: ReadonlyMap<string, string>;
      readonly warnings: readonly ConfigWarning[];
    }
  | {
      readonly ok: false;
      readonly errors: readonly ConfigError[];
      readonly warnings: readonly ConfigWarning[];
    };

/** Where the file is looked for when nobody names it. */
export const DEFAULT_CONFIG_FILES = ["./parallama.yaml", "/etc/parallama/config.yaml"] as const;

const NO_DOT_ENV: DotEnv = { variables: new Map(), problems: [] };

/**
 * Reads, merges and checks the configuration: defaults, one file, `.env`, environment, flags; the later wins. Gives
 * the whole `Config`, or everything that is wrong at once. No error, warning or source holds a value.
 */
export function loadConfig(input: LoadConfigInput): LoadedConfig {
  const files = new Files(input);
  const environment = new Environment(input.env, files.readDotEnv());
  const file = files.readConfigFile(environment);
  const sources = new Sources(file.name ?? "configuration");
  const findings = new Findings(sources);
  for (const [key, line] of file.lines) sources.set(key, `${file.name}:${line}`);
  const entries = getAt(file.tree, ["providers"]);
  const configuredProviders = new Set(isTree(entries) ? Object.keys(entries) : []);
  const overlay = overlaySettings(file.tree, environment, input.flags, sources);
  const set = new Map(leafPaths(file.tree).map((path) => [formatKeyPath(path), sources.of(path)]));
  const resolution: Resolution = {
    mode: input.mode,
    cwd: input.cwd,
    environment,
    sources,
    findings,
    overridden: overlay.overridden,
    configuredProviders,
    isWritableDirectory: input.isWritableDirectory ?? (() => false),
  };
  const settings = checkedSettings(file.tree, findings);
  const config = settings === undefined ? undefined : resolveConfig(resolution, settings);
  const warnings = [
    ...files.warnings,
    ...overlay.ignored,
    ...unknownVariables(environment),
    ...findings.warnings,
  ];
  const errors = [...files.errors, ...findings.errors];
  if (config === undefined || errors.length > 0) return { ok: false, errors, warnings };
  return { ok: true, config, sources: set, warnings };
}

/** Settings as the schema gives them. What it refuses is told and left out, so that the rest can still be checked. */
function checkedSettings(tree: Tree, findings: Findings): Settings | undefined {
  const first = settingsSchema.safeParse(tree);
  if (first.success) return first.data;
  for (const path of reportIssues(first.error.issues, tree, findings)) removeAt(tree, path);
  // Taking out a required key breaks its group, whose turn it is then; the top of the tree requires nothing.
  for (let round = 0; round < 12; round++) {
    const again = settingsSchema.safeParse(tree);
    if (again.success) return again.data;
    for (const issue of again.error.issues) {
      const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
      removeAt(tree, getAt(tree, path) === undefined ? path.slice(0, -1) : path);
    }
  }
  return undefined;
}

function leafPaths(
  value: unknown,
  path: readonly (string | number)[] = [],
): (readonly (string | number)[])[] {
  if (isTree(value)) return Object.entries(value).flatMap(([key, child]) => leafPaths(child, [...path, key]));
  const isListOfGroups = Array.isArray(value) && value.some((item) => typeof item === "object");
  return isListOfGroups ? value.flatMap((item, index) => leafPaths(item, [...path, index])) : [path];
}

function unknownVariables(environment: Environment): ConfigWarning[] {
  return environment.unknownNames().map(({ name, source, suggestion }) => ({
    key: "",
    source,
    message: `${name} is not a variable of Parallama${suggestion === undefined ? "" : `; did you mean ${suggestion}?`}`,
  }));
}

interface ConfigFile {
  readonly path: string | null;
  /** As errors name it. */
  readonly name: string | null;
  readonly tree: Tree;
  readonly lines: ReadonlyMap<string, number>;
}

/** The two files that are read, and what was wrong with them as files. */
class Files {
  readonly errors: ConfigError[] = [];
  readonly warnings: ConfigWarning[] = [];
  readonly #input: LoadConfigInput;

  constructor(input: LoadConfigInput) {
    this.#input = input;
  }

  /** A bad line is a warning only: the working directory's `.env` may be another program's. */
  readDotEnv(): DotEnv {
    let text: string | undefined;
    try {
      text = this.#input.readFile(resolve(this.#input.cwd, ".env"));
    } catch {
      this.warnings.push({ key: "", source: ".env", message: "the file cannot be read" });
    }
    const dotEnv = text === undefined ? NO_DOT_ENV : parseDotEnv(text);
    for (const { line, message } of dotEnv.problems) {
      this.warnings.push({ key: "", source: `.env:${line}`, message });
    }
    return dotEnv;
  }

  readConfigFile(environment: Environment): ConfigFile {
    const flag = this.#input.flags.config;
    const variable = environment.get("PARALLAMA_CONFIG");
    if (flag !== undefined) return this.#read(flag, "flag --config");
    if (variable !== undefined) return this.#read(variable.value, variable.source);
    for (const candidate of DEFAULT_CONFIG_FILES) {
      const file = this.#read(candidate, undefined);
      if (file.path !== null) return file;
    }
    return { path: null, name: null, tree: {}, lines: new Map() };
  }

  /** `namedBy`: who asked for this file; a file that nobody named may be missing. */
  #read(named: string, namedBy: string | undefined): ConfigFile {
    const path = resolve(this.#input.cwd, named);
    const inside = relative(this.#input.cwd, path);
    const name = inside === "" || inside.startsWith("..") ? path : inside;
    let text: string | undefined;
    try {
      text = this.#input.readFile(path);
      if (text === undefined && namedBy !== undefined) {
        this.errors.push({ key: "", source: namedBy, message: `there is no file ${name}` });
      }
    } catch {
      this.errors.push({ key: "", source: namedBy ?? name, message: `the file ${name} cannot be read` });
      return { path, name, tree: {}, lines: new Map() };
    }
    if (text === undefined) return { path: null, name: null, tree: {}, lines: new Map() };
    const { tree, lines, errors } = parseYamlFile(text, name);
    this.errors.push(...errors);
    return { path, name, tree, lines };
  }
}
