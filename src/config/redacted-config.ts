import type { Config } from "./config.ts";
import { configTree } from "./config-tree.ts";
import type { KeyPath } from "./key-path.ts";
import { metaAt } from "./schema-tree.ts";
import { Secret } from "./secret.ts";
import { isTree, type Tree } from "./tree.ts";

/**
 * The configuration as it may be shown, in the shape of a file. A value is printed only where the schema declares its
 * kind as shown; a secret says where it came from, and anything else is "[redacted]".
 */
export function redactedConfig(config: Config): Tree {
  const redacted = redact(configTree(config), []);
  return isTree(redacted) ? redacted : {};
}

function redact(value: unknown, path: KeyPath): unknown {
  if (value instanceof Secret) return `[redacted: from ${value.origin}]`;
  if (Array.isArray(value)) return value.map((item, index) => redact(item, [...path, index]));
  if (isTree(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, redact(child, [...path, key])]),
    );
  }
  return metaAt(path)?.isShown === true ? value : "[redacted]";
}
