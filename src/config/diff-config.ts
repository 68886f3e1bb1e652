import type { Config } from "./config.ts";
import { configTree } from "./config-tree.ts";
import { formatKeyPath, type KeyPath } from "./key-path.ts";
import { metaAt } from "./schema-tree.ts";
import { Secret } from "./secret.ts";
import { isTree } from "./tree.ts";

/** What a reload would change, as key paths of the file. A model or provider stands under its name. */
export interface ConfigDiff {
  readonly changed: readonly string[];
  /** Those of `changed` that act only after a restart. */
  readonly needRestart: readonly string[];
}

/** Compares two configurations, for a reload by SIGHUP. The order of models and providers does not count. */
export function diffConfig(old: Config, current: Config): ConfigDiff {
  const before = flatten(old);
  const after = flatten(current);
  const changed: string[] = [];
  const needRestart: string[] = [];
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [a, b] = [before.get(key), after.get(key)];
    if (isEqual(a?.value, b?.value)) continue;
    changed.push(key);
    const needsRestart = metaAt((a ?? b)?.path ?? [])?.needsRestart === true;
    // A new model that is not to be preloaded needs nothing.
    if (needsRestart && !(isOff(a) && isOff(b))) needRestart.push(key);
  }
  return { changed: changed.sort(), needRestart: needRestart.sort() };
}

/**
 * What runs after a reload: the new configuration, save for what only a restart can change. Key by key, these are the
 * ones whose schema says `needsRestart`.
 */
export function reloadedConfig(running: Config, next: Config): Config {
  const isPreloaded = new Map(running.models.map((model) => [model.name, model.preload]));
  return {
    ...next,
    dataDir: running.dataDir,
    server: { ...running.server, drainTimeoutMs: next.server.drainTimeoutMs },
    database: running.database,
    ollama: running.ollama,
    models: next.models.map((model) => ({ ...model, preload: isPreloaded.get(model.name) ?? false })),
    local: running.local,
  };
}

interface Leaf {
  readonly path: KeyPath;
  readonly value: unknown;
}

function flatten(config: Config): Map<string, Leaf> {
  const tree = configTree(config);
  const models = Array.isArray(tree.models) ? tree.models.filter(isTree) : [];
  const leaves = new Map<string, Leaf>();
  collect({ ...tree, models: [] }, [], leaves);
  for (const model of models) collect(model, ["models", String(model.name)], leaves);
  return leaves;
}

function collect(value: unknown, path: KeyPath, leaves: Map<string, Leaf>): void {
  if (!isTree(value) || value instanceof Secret) {
    leaves.set(formatKeyPath(path), { path, value });
    return;
  }
  for (const [key, child] of Object.entries(value)) collect(child, [...path, key], leaves);
}

function isOff(leaf: Leaf | undefined): boolean {
  return (leaf?.value ?? false) === false;
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a instanceof Secret && b instanceof Secret) return a.equals(b);
  if (a instanceof Secret || b instanceof Secret) return false;
  return JSON.stringify(a) === JSON.stringify(b);
}
