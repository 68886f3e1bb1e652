import type { KeyPath } from "./key-path.ts";

/** Keys and values as they stand in a file, before anything is checked. */
export type Tree = { [key: string]: unknown };

export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path, or `undefined`. Looks at own keys only. */
export function getAt(tree: unknown, path: KeyPath): unknown {
  let value = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}

/** Sets a value, making the mappings on the way. False if something else stands in the way. */
export function setAt(tree: Tree, path: KeyPath, value: unknown): boolean {
  let at: Tree = tree;
  for (const part of path.slice(0, -1)) {
    if (!Object.hasOwn(at, part)) at[part] = {};
    const next = at[part];
    if (!isTree(next)) return false;
    at = next;
  }
  const last = path.at(-1);
  if (last !== undefined) at[last] = value;
  return true;
}

/** Removes the value at a path. In a list its place stays, so that the numbers of the others hold. */
export function removeAt(tree: Tree, path: KeyPath): void {
  const last = path.at(-1);
  const parent = getAt(tree, path.slice(0, -1));
  if (last === undefined || typeof parent !== "object" || parent === null) return;
  Reflect.deleteProperty(parent, last);
}
