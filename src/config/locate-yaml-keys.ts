import { formatKeyPath, type KeyPath } from "./key-path.ts";

/** Where the keys of a YAML text stand. `Bun.YAML.parse` gives values only, and takes the last of two equal keys. */
export interface YamlLocations {
  /** Line (from 1) of each key and list item, by its path as `formatKeyPath` writes it. */
  readonly lines: ReadonlyMap<string, number>;
  /** Keys that stand twice in one mapping; `line` is the second time. */
  readonly repeated: readonly { readonly path: KeyPath; readonly line: number; readonly firstLine: number }[];
}

/** A block mapping or list that is open at some line. */
interface Block {
  readonly kind: "mapping" | "list";
  readonly indent: number;
  readonly path: KeyPath;
  /** Path of the key or item that was read last: what a deeper block belongs to. */
  current: KeyPath;
  /** Number of the next item of a list. */
  next: number;
}

const DASH = /^-(?:\s+|$)/;
const KEY = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s"'#&*!|>%@`[\]{},?][^#]*?))\s*:(?:\s+(.*))?$/;
const ANCHOR_OR_TAG = /^(?:[&!]\S*(?:\s+|$))+/;

/**
 * Finds the keys that are written in block style, by their indentation. Keys inside `[...]` and `{...}` are not found
 * one by one: whoever asks for them takes the line of what surrounds them. Never fails; in a text that is not YAML it
 * finds less.
 */
export function locateYamlKeys(text: string): YamlLocations {
  const rows = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const locator = new Locator();
  let index = 0;
  while (index < rows.length) {
    const row = rows[index] ?? "";
    const indent = indentOf(row);
    const content = row.slice(indent).trimEnd();
    index++;
    if (content === "" || content.startsWith("#") || /^(?:---|\.\.\.|%)/.test(row)) continue;
    const valueIndent = locator.read(content, indent, index);
    if (valueIndent === undefined) continue;
    // The value began on this line; whatever is deeper than its key continues it, and holds no keys.
    while (index < rows.length && continuesValue(rows[index] ?? "", valueIndent)) index++;
  }
  return locator;
}

function indentOf(row: string): number {
  return row.length - row.trimStart().length;
}

function continuesValue(row: string, keyIndent: number): boolean {
  return row.trim() === "" || indentOf(row) > keyIndent;
}

class Locator implements YamlLocations {
  readonly lines = new Map<string, number>();
  readonly repeated: { path: KeyPath; line: number; firstLine: number }[] = [];
  readonly #open: Block[] = [];

  /** Reads one line's content. Returns the indentation of its key or dash if a value follows on the same line. */
  read(content: string, indent: number, line: number): number | undefined {
    const dash = DASH.exec(content)?.[0];
    if (dash !== undefined) {
      const list = this.#blockAt(indent, "list");
      list.current = [...list.path, list.next++];
      this.#note(list.current, line);
      const rest = content.slice(dash.length);
      if (isNoValue(rest)) return undefined;
      const isNested = DASH.test(rest) || KEY.test(rest);
      return isNested ? this.read(rest, indent + dash.length, line) : indent;
    }
    const match = KEY.exec(content);
    if (!match) return undefined;
    const mapping = this.#blockAt(indent, "mapping");
    mapping.current = [...mapping.path, match[1] ?? match[2] ?? match[3] ?? ""];
    this.#note(mapping.current, line);
    return isNoValue((match[4] ?? "").replace(ANCHOR_OR_TAG, "")) ? undefined : indent;
  }

  #note(path: KeyPath, line: number): void {
    const text = formatKeyPath(path);
    const firstLine = this.lines.get(text);
    if (firstLine === undefined) this.lines.set(text, line);
    else this.repeated.push({ path, line, firstLine });
  }

  /** The open block at this indentation, after closing the deeper ones. A list may stand at its key's indentation. */
  #blockAt(indent: number, kind: Block["kind"]): Block {
    let top = this.#open.at(-1);
    while (
      top &&
      (top.indent > indent || (top.indent === indent && top.kind === "list" && kind === "mapping"))
    ) {
      this.#open.pop();
      top = this.#open.at(-1);
    }
    if (top?.indent === indent && top.kind === kind) return top;
    const path = top?.current ?? [];
    const block: Block = { kind, indent, path, current: path, next: 0 };
    this.#open.push(block);
    return block;
  }
}

function isNoValue(text: string): boolean {
  return text === "" || text.startsWith("#");
}
