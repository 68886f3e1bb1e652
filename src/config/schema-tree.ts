import { z } from "zod";
import { type KeyMeta, keyMetas } from "./key-meta.ts";
import type { KeyPath } from "./key-path.ts";
import { settingsSchema } from "./settings-schema.ts";

type Schema = z.core.$ZodType;

/** What a schema is, behind its defaults and conversions. */
export type SchemaNode =
  | { readonly kind: "group"; readonly keys: ReadonlyMap<string, Schema> }
  | { readonly kind: "mapping"; readonly value: Schema }
  | { readonly kind: "list"; readonly item: Schema }
  | { readonly kind: "value" };

/** One key that a file may hold. In `path`, `<name>` stands for any name and `[]` for any place in a list. */
export interface KeyDescription {
  readonly path: string;
  readonly meta: KeyMeta;
  readonly isGroup: boolean;
}

export function nodeOf(schema: Schema): SchemaNode {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault) return nodeOf(schema.unwrap());
  if (schema instanceof z.ZodPipe) {
    return schema.out instanceof z.ZodTransform ? { kind: "value" } : nodeOf(schema.out);
  }
  if (schema instanceof z.ZodObject) {
    return { kind: "group", keys: new Map<string, Schema>(Object.entries(schema.shape)) };
  }
  if (schema instanceof z.ZodRecord) return { kind: "mapping", value: schema.valueType };
  if (schema instanceof z.ZodArray) return { kind: "list", item: schema.element };
  return { kind: "value" };
}

/** The schema of whatever may stand at a path; `undefined` if nothing may. */
export function schemaAt(path: KeyPath): Schema | undefined {
  let schema: Schema | undefined = settingsSchema;
  for (const part of path) {
    if (schema === undefined) return undefined;
    const node = nodeOf(schema);
    if (node.kind === "group") schema = node.keys.get(String(part));
    else if (node.kind === "mapping") schema = node.value;
    else schema = node.kind === "list" ? node.item : undefined;
  }
  return schema;
}

export function metaAt(path: KeyPath): KeyMeta | undefined {
  const schema = schemaAt(path);
  return schema === undefined ? undefined : keyMetas.get(schema);
}

/** Every key of the schema, in the order of its declaration. */
export function describeKeys(): KeyDescription[] {
  return [...describe(settingsSchema, "")];
}

function* describe(schema: Schema, path: string): Generator<KeyDescription> {
  const node = nodeOf(schema);
  const meta = keyMetas.get(schema);
  if (path !== "" && meta !== undefined && meta.description !== "") {
    yield { path, meta, isGroup: node.kind !== "value" && !isListOfValues(node) };
  }
  if (node.kind === "group") {
    for (const [key, child] of node.keys) yield* describe(child, path === "" ? key : `${path}.${key}`);
  } else if (node.kind === "mapping") {
    yield* describe(node.value, `${path}.<name>`);
  } else if (node.kind === "list") {
    yield* describe(node.item, `${path}[]`);
  }
}

function isListOfValues(node: SchemaNode): boolean {
  return node.kind === "list" && nodeOf(node.item).kind === "value";
}
