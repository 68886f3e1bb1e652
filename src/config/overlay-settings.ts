import { CONFIG_FLAGS, type ConfigFlags } from "./config-flags.ts";
import { ENVIRONMENT_VARIABLES, type Environment } from "./environment.ts";
import type { Sources } from "./findings.ts";
import { formatKeyPath, type KeyPath } from "./key-path.ts";
import { BUILT_IN_PROVIDERS } from "./resolve-providers.ts";
import { getAt, removeAt, setAt, type Tree } from "./tree.ts";

export interface Overlay {
  /** Keys that a variable or a flag set. */
  readonly overridden: ReadonlySet<string>;
  /** Variables that were set and are not used, with the reason. */
  readonly ignored: readonly { readonly key: string; readonly source: string; readonly message: string }[];
}

/** Where one key says the same as others: setting it from outside removes the others of the file. */
const EXCLUDES: Readonly<Record<string, readonly KeyPath[]>> = {
  "database.url": [["database", "path"]],
  "ollama.base_url": [
    ["ollama", "host"],
    ["ollama", "port"],
  ],
};

/** Lays variables, then flags, over what the file says. Changes `tree` and notes the sources. */
export function overlaySettings(
  tree: Tree,
  environment: Environment,
  flags: ConfigFlags,
  sources: Sources,
): Overlay {
  const overridden = new Set<string>();
  const ignored: { key: string; source: string; message: string }[] = [];
  const reasons = new Map(
    [...BUILT_IN_PROVIDERS.keys()]
      .filter((name) => getAt(tree, ["providers", name, "base_url"]) !== undefined)
      .map((name) => [name, `not used, for \`providers.${name}.base_url\` is set in the file`]),
  );
  const put = (key: KeyPath, value: unknown, source: string): void => {
    const text = formatKeyPath(key);
    for (const other of EXCLUDES[text] ?? []) removeAt(tree, other);
    if (!setAt(tree, key, value)) return;
    sources.set(text, source);
    overridden.add(text);
  };
  for (const { name, key } of ENVIRONMENT_VARIABLES) {
    const variable = environment.get(name);
    if (variable === undefined || key === null || overridden.has(formatKeyPath(key))) continue;
    // A credential goes to the address that it was given for: a file that names the address names the key too.
    const provider = key[0] === "providers" ? String(key[1]) : key[0] === "ollama" ? "ollama" : "";
    const message = reasons.get(provider);
    if (message === undefined) put(key, variable.value, variable.source);
    else if (name !== "OLLAMA_HOST")
      ignored.push({ key: formatKeyPath(key), source: variable.source, message });
  }
  for (const { name, flag, key } of CONFIG_FLAGS) {
    const value = flags[name];
    if (value !== undefined && key !== null) put(key, value, `flag ${flag}`);
  }
  return { overridden, ignored };
}
