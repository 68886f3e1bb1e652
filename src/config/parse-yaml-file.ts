import { YAML } from "bun";
import type { ConfigError } from "./config.ts";
import { displayKeyPath, type KeyPath } from "./key-path.ts";
import { locateYamlKeys } from "./locate-yaml-keys.ts";
import { getAt, isTree, type Tree } from "./tree.ts";

/** A configuration file, read but not yet checked. */
export interface YamlFile {
  readonly tree: Tree;
  /** Lines by key path; see `locateYamlKeys`. */
  readonly lines: ReadonlyMap<string, number>;
  readonly errors: readonly ConfigError[];
}

const MAX_DEPTH = 24;
const MAX_NODES = 50_000;

/** What Bun's parser is known to say. Anything else might repeat the text of the file, and with it a secret. */
const SAFE_DETAILS = [
  "Unexpected token",
  "Unexpected character",
  "Unexpected EOF",
  "Tab characters cannot be used as indentation",
  "Unresolved alias",
];

/**
 * Parses YAML into plain keys and values. `name` stands for the file in errors. Keys without a value count as absent,
 * so that a section whose lines are all commented out is no error. No error repeats any of the text.
 */
export function parseYamlFile(text: string, name: string): YamlFile {
  let parsed: unknown;
  try {
    parsed = YAML.parse(text);
  } catch (thrown) {
    return { tree: {}, lines: new Map(), errors: [syntaxError(text, name, thrown)] };
  }
  const broken = (message: string): YamlFile => ({
    tree: {},
    lines: new Map(),
    errors: [{ key: "", source: name, message }],
  });
  if (parsed === null || parsed === undefined) return { tree: {}, lines: new Map(), errors: [] };
  const copy = new Copier();
  const tree = copy.withoutNulls(parsed, 0);
  if (copy.isTooBig) return broken("the file is nested too deeply or refers to itself");
  if (!isTree(tree)) return broken('expected keys and values (one document), such as "server:"');
  const { lines, repeated } = locateYamlKeys(text);
  const errors = repeated
    .filter(({ path }) => getAt(parsed, path) !== undefined && !isBelowAnother(path, repeated))
    .map(({ path, line, firstLine }) => ({
      key: displayKeyPath(path),
      source: `${name}:${line}`,
      message: `the key stands here a second time; the first is on line ${firstLine}`,
    }));
  return { tree, lines, errors };
}

/** Below a mapping that stands twice, every key stands twice: one error is enough. */
function isBelowAnother(path: KeyPath, repeated: readonly { readonly path: KeyPath }[]): boolean {
  return repeated.some(
    (other) => other.path.length < path.length && other.path.every((part, index) => part === path[index]),
  );
}

/** The parser says what, not where: the error is after the longest beginning of the text that can be read. */
function syntaxError(text: string, name: string, thrown: unknown): ConfigError {
  const detail =
    thrown instanceof Error ? SAFE_DETAILS.find((known) => thrown.message.includes(known)) : undefined;
  const rows = text.split(/\r\n|\n|\r/);
  let good = Math.min(rows.length - 1, 2_000);
  while (good > 0 && !parses(rows.slice(0, good).join("\n"))) good--;
  while (good < rows.length - 1 && /^\s*(#|$)/.test(rows[good] ?? "")) good++;
  return {
    key: "",
    source: `${name}:${good + 1}`,
    message: `this is not valid YAML, on or after this line${detail === undefined ? "" : ` (${detail.toLowerCase()})`}`,
  };
}

function parses(text: string): boolean {
  try {
    YAML.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Copies a parsed value, bounded: aliases can make a small file endless. */
class Copier {
  isTooBig = false;
  #nodes = 0;

  withoutNulls(value: unknown, depth: number): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (depth > MAX_DEPTH || ++this.#nodes > MAX_NODES) {
      this.isTooBig = true;
      return undefined;
    }
    if (Array.isArray(value)) return value.map((item) => this.withoutNulls(item, depth + 1));
    const copy: Tree = {};
    for (const [key, child] of Object.entries(value)) {
      if (child === null || child === undefined) continue;
      // Assignment would set the prototype instead of a key of this name.
      Object.defineProperty(copy, key, {
        value: this.withoutNulls(child, depth + 1),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return copy;
  }
}
