import type { z } from "zod";
import type { Findings } from "./findings.ts";
import { describeType } from "./key-kinds.ts";
import { type KeyPath, looksSecret } from "./key-path.ts";
import { nearest } from "./nearest.ts";
import { describeKeys, nodeOf, schemaAt } from "./schema-tree.ts";
import { getAt, type Tree } from "./tree.ts";

/** Tells each issue that the schema found, and returns the paths that must go for the rest to be read. */
export function reportIssues(issues: readonly z.core.$ZodIssue[], tree: Tree, findings: Findings): KeyPath[] {
  const broken: KeyPath[] = [];
  for (const issue of issues) {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        broken.push([...path, key]);
        findings.error([...path, key], unknownKey(path, key));
      }
      continue;
    }
    broken.push(path);
    findings.error(path, messageOf(issue, path, tree));
  }
  return broken;
}

function messageOf(issue: z.core.$ZodIssue, path: KeyPath, tree: Tree): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? "this name is not allowed";
  const got = describeType(getAt(tree, path));
  return `expected ${expectedShape(path)}, got ${got}`;
}

function expectedShape(path: KeyPath): string {
  const schema = schemaAt(path);
  if (schema === undefined) return "nothing";
  const parent = path.slice(0, -1);
  if (nodeOf(schema).kind === "list") return "a list";
  return parent.at(-1) === "targets" ? '"provider/model" or keys and values' : "keys and values";
}

function unknownKey(path: KeyPath, key: string): string {
  if (looksSecret(key)) return "unknown key; its name is hidden, for it looks like a secret";
  const group = schemaAt(path);
  const node = group === undefined ? undefined : nodeOf(group);
  const siblings = node?.kind === "group" ? [...node.keys.keys()] : [];
  const known = describeKeys().map((each) => each.path);
  const elsewhere = path.length === 0 ? known.filter((each) => each.endsWith(`.${key}`)) : [];
  const near = nearest(key, siblings);
  if (near !== undefined) return `unknown key; did you mean \`${near}\`?`;
  if (elsewhere[0] !== undefined) return `unknown key at the top; did you mean \`${elsewhere[0]}\`?`;
  return `unknown key; known here: ${siblings.join(", ")}`;
}
