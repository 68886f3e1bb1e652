import { z } from "zod";
import type { Kind } from "./key-kinds.ts";
import { Problem } from "./problem.ts";

/** What the documentation, `config show` and the reload need to know of a key. Lives beside its schema. */
export interface KeyMeta {
  readonly description: string;
  /** How the value is written: "size", "duration", "list of text". */
  readonly type: string;
  /** As somebody would write it; absent: there is none. */
  readonly default?: string;
  readonly unit?: string;
  /** May `config show` print the value? */
  readonly isShown: boolean;
  /** A change acts only after a restart. */
  readonly needsRestart: boolean;
}

/** The facts about a key that its kind does not know. */
interface About {
  readonly description: string;
  /** A default that is computed, in words: "<data_dir>/models". */
  readonly defaultText?: string;
  readonly needsRestart?: boolean;
}

/** Where every schema of the configuration leaves its `KeyMeta`. */
export const keyMetas = z.registry<KeyMeta>();

/** A single value that may be absent. */
export function optional<T>(kind: Kind<T>, about: About) {
  return leaf(kind)
    .optional()
    .register(keyMetas, metaOf(kind, about, about.defaultText));
}

/** A single value that must be given. */
export function required<T>(kind: Kind<T>, about: About) {
  return leaf(kind).register(keyMetas, metaOf(kind, about, "required"));
}

/** A single value with a default, written as in a file. */
export function withDefault<T>(kind: Kind<T>, fallback: string | number | boolean, about: About) {
  return leaf(kind)
    .prefault(fallback)
    .register(keyMetas, metaOf(kind, about, about.defaultText ?? String(fallback)));
}

/** A list of single values; absent unless `fallback` is given. */
export function optionalList<T>(kind: Kind<T>, about: About) {
  const meta = { ...metaOf(kind, about, about.defaultText), type: `list of ${kind.type}` };
  return z.array(leaf(kind)).optional().register(keyMetas, meta);
}

/** A list of single values, empty if absent. */
export function list<T>(kind: Kind<T>, about: About) {
  const meta = { ...metaOf(kind, about, about.defaultText ?? "[]"), type: `list of ${kind.type}` };
  return z.array(leaf(kind)).prefault([]).register(keyMetas, meta);
}

/** Meta of a group of keys, a list of groups or a mapping from names. */
export function groupMeta(type: string, description: string): KeyMeta {
  return { description, type, isShown: false, needsRestart: false };
}

/** The schema of one value. Its issues carry our own words, never the value. */
export function leaf<T>(kind: Kind<T>) {
  const schema = z.unknown().transform((raw, context): T => {
    const parsed = raw === undefined ? new Problem(missing(kind)) : kind.parse(raw);
    if (!(parsed instanceof Problem)) return parsed;
    context.addIssue({ code: "custom", message: parsed.message });
    return z.NEVER;
  });
  return schema.register(keyMetas, metaOf(kind, { description: "" }, undefined));
}

function missing(kind: Kind<unknown>): string {
  return `required: expected ${kind.expected}`;
}

function metaOf(kind: Kind<unknown>, about: About, fallback: string | undefined): KeyMeta {
  return {
    description: about.description,
    type: kind.type,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(kind.unit === undefined ? {} : { unit: kind.unit }),
    isShown: kind.isShown,
    needsRestart: about.needsRestart ?? false,
  };
}
