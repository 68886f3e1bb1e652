import { plainText } from "./plain-text.ts";

/** What stands behind a value as a comment; `undefined`: nothing. */
export type CommentOf = (path: readonly (string | number)[]) => string | undefined;

interface Line {
  readonly text: string;
  readonly comment: string | undefined;
}

const PLAIN = /^[A-Za-z0-9_./~][A-Za-z0-9_./~:@+-]*$/;
const READ_AS_SOMETHING_ELSE = /^(?:true|false|yes|no|on|off|null|~|[-+.\d][\d_.eE+-]*|0[xo][0-9a-fA-F]+)$/i;
const COMMENT_COLUMN = 44;

/** Writes nested values the way a configuration file does, one value a line, comments below each other. */
export function yamlText(tree: unknown, commentOf: CommentOf = () => undefined): string {
  return linesOf(tree, [], 0, commentOf)
    .map(({ text, comment }) =>
      comment === undefined ? text : `${text.padEnd(COMMENT_COLUMN)}  # ${plainText(comment)}`,
    )
    .join("\n");
}

function linesOf(
  value: unknown,
  path: readonly (string | number)[],
  depth: number,
  commentOf: CommentOf,
): Line[] {
  const indent = "  ".repeat(depth);
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => {
      const itemPath = [...path, index];
      if (!isGroup(item)) return [{ text: `${indent}- ${scalar(item)}`, comment: commentOf(itemPath) }];
      return linesOf(item, itemPath, depth + 1, commentOf).map((line, at) =>
        at === 0 ? { ...line, text: `${indent}- ${line.text.slice(indent.length + 2)}` } : line,
      );
    });
  }
  return Object.entries(isGroup(value) ? value : {}).flatMap(([key, child]) => {
    const childPath = [...path, key];
    const name = `${indent}${scalar(key)}:`;
    if (isShort(child)) return [{ text: `${name} ${shortText(child)}`, comment: commentOf(childPath) }];
    const comment = Array.isArray(child) ? commentOf(childPath) : undefined;
    return [{ text: name, comment }, ...linesOf(child, childPath, depth + 1, commentOf)];
  });
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Fits on the line of its key: a single value, a list of single values, or nothing at all. */
function isShort(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item !== "object" || item === null);
  return !isGroup(value) || Object.keys(value).length === 0;
}

function shortText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(scalar).join(", ")}]`;
  return isGroup(value) ? "{}" : scalar(value);
}

function scalar(value: unknown): string {
  if (typeof value !== "string") return String(value);
  return PLAIN.test(value) && !READ_AS_SOMETHING_ELSE.test(value) && !value.endsWith(":")
    ? value
    : JSON.stringify(value);
}
