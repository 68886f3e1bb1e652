import type { Config, ConfigError, ConfigMode, ProviderConfig } from "../../src/config/config.ts";
import type { ConfigFlags } from "../../src/config/config-flags.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load-config.ts";

export interface Given {
  /** Text of ./parallama.yaml. */
  readonly yaml?: string;
  readonly dotEnv?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: ConfigFlags;
  readonly mode?: ConfigMode;
  readonly writable?: readonly string[];
}

/** Loads from files that exist only here; the working directory is /work. */
export function load(given: Given): LoadedConfig {
  const files: Record<string, string> = { ...given.files };
  if (given.yaml !== undefined) files["/work/parallama.yaml"] = given.yaml;
  if (given.dotEnv !== undefined) files["/work/.env"] = given.dotEnv;
  return loadConfig({
    mode: given.mode ?? "production",
    flags: given.flags ?? {},
    env: given.env ?? {},
    cwd: "/work",
    readFile: (path) => files[path],
    isWritableDirectory: (path) => given.writable?.includes(path) ?? false,
  });
}

export function loaded(given: Given): Extract<LoadedConfig, { ok: true }> {
  const result = load(given);
  if (!result.ok) throw new Error(`expected no errors, got: ${describe(result.errors).join("; ")}`);
  return result;
}

export function configOf(given: Given): Config {
  return loaded(given).config;
}

/** Errors as "key @ source: message". */
export function errorsOf(given: Given): string[] {
  const result = load(given);
  return result.ok ? [] : describe(result.errors);
}

export function warningsOf(given: Given): string[] {
  return describe(load(given).warnings);
}

export function providerOf(config: Config, name: string): ProviderConfig {
  const provider = config.providers.find((each) => each.name === name);
  if (provider === undefined) throw new Error(`no provider ${name}`);
  return provider;
}

function describe(findings: readonly ConfigError[]): string[] {
  return findings.map(({ key, source, message }) => `${key} @ ${source}: ${message}`);
}
