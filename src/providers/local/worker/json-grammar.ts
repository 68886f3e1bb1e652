import { badRequest } from "./api-error.ts";
import { isJsonObject, type JsonObject } from "./request-fields.ts";

/**
 * JSON Schema to GBNF, llama.cpp's grammar notation (its `grammars/README.md`).
 *
 * What is generated always satisfies the schema; it may be narrower (properties in the order of the schema,
 * no additional ones beside named ones, compact white space). A keyword that would be broken is refused
 * by name, an annotation such as `title` or `format` is not enforced, as JSON Schema has it.
 */

/** Values of `minItems`, `maxLength` and the like: the grammar grows with them. */
const largestRepetition = 2000;
const largestEnumeratedRange = 1000;
const deepestNesting = 64;
const mostRules = 5000;

const fixedRules = `
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ( member ("," ws member)* )? "}"
member ::= string ":" ws value
array ::= "[" ( value ("," ws value)* )? "]"
string ::= "\\"" char* "\\""
char ::= [^"\\\\\\x7F\\x00-\\x1F] | "\\\\" (["\\\\/bfnrt] | "u" [0-9a-fA-F]{4})
integer ::= "-"? natural
natural ::= "0" | [1-9] [0-9]{0,15}
number ::= integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?
ws ::= " "?
`;

const annotations = new Set([
  ..."title description default examples example $schema $id $comment deprecated readOnly writeOnly".split(
    " ",
  ),
  ..."format contentEncoding contentMediaType $defs definitions nullable".split(" "),
]);

const keywordsOf: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "minItems", "maxItems"],
  string: ["minLength", "maxLength"],
  integer: ["minimum", "maximum"],
  number: ["minimum", "maximum"],
};

/** A grammar of any JSON object (`response_format: {"type": "json_object"}`). */
export function jsonObjectGrammar(): string {
  return `root ::= object${fixedRules}`;
}

/** The grammar of a JSON Schema. Throws 400 naming the keyword that cannot be held to. */
export function jsonSchemaGrammar(schema: unknown): string {
  const builder = new GrammarBuilder(schema);
  const root = builder.rule(schema, "schema", 0);
  return `root ::= ${root}${fixedRules}${builder.text()}`;
}

class GrammarBuilder {
  readonly #root: unknown;
  readonly #rules: string[] = [];
  readonly #references = new Map<string, string>();

  constructor(root: unknown) {
    this.#root = root;
  }

  text(): string {
    return this.#rules.map((rule) => `${rule}\n`).join("");
  }

  /** The name of a rule for `schema`; `path` names it in errors. */
  rule(schema: unknown, path: string, depth: number): string {
    if (depth > deepestNesting) throw refused(path, `it is nested more than ${deepestNesting} deep`);
    if (schema === true) return "value";
    if (!isJsonObject(schema)) throw refused(path, "it is not a schema object");
    const reference = schema.$ref;
    if (reference !== undefined) return this.#reference(reference, path, depth);
    const alternatives = schema.anyOf ?? schema.oneOf;
    if (alternatives !== undefined) return this.#alternatives(schema, alternatives, path, depth);
    const all = schema.allOf;
    if (Array.isArray(all) && all.length === 1) return this.rule(all[0], `${path}.allOf[0]`, depth + 1);
    if ("const" in schema) return this.#add(literal(schema.const));
    if (Array.isArray(schema.enum) && schema.enum.length > 0) {
      return this.#add(schema.enum.map(literal).join(" | "));
    }
    const type = schema.type ?? impliedType(schema);
    if (Array.isArray(type)) {
      const types = type.map((one) => this.#typed(schema, one, type, path, depth));
      return this.#add(types.join(" | "));
    }
    if (type === undefined) {
      refuseKeywords(schema, [], path);
      return "value";
    }
    return this.#typed(schema, type, [type], path, depth);
  }

  #add(body: string): string {
    const name = this.#reserve();
    this.#define(name, body);
    return name;
  }

  #reserve(): string {
    if (this.#rules.length >= mostRules) throw refused("schema", "it is too large");
    this.#rules.push("");
    return `r${this.#rules.length - 1}`;
  }

  #define(name: string, body: string): void {
    this.#rules[Number(name.slice(1))] = `${name} ::= ${body}`;
  }

  #reference(reference: unknown, path: string, depth: number): string {
    if (typeof reference !== "string" || !reference.startsWith("#")) {
      throw refused(`${path}.$ref`, "only references into the schema itself are possible");
    }
    const known = this.#references.get(reference);
    if (known !== undefined) return known;
    let target: unknown = this.#root;
    for (const part of reference.slice(1).split("/").slice(1)) {
      const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
      target = isJsonObject(target) && Object.hasOwn(target, key) ? target[key] : undefined;
    }
    if (target === undefined) throw refused(`${path}.$ref`, `'${reference}' does not exist`);
    // Known before it is built: a definition may refer to itself.
    const name = this.#reserve();
    this.#references.set(reference, name);
    const body = this.rule(target, reference, depth + 1);
    if (body === name) throw refused(`${path}.$ref`, "it refers only to itself");
    this.#define(name, body);
    return name;
  }

  #alternatives(schema: JsonObject, list: unknown, path: string, depth: number): string {
    refuseKeywords(schema, ["anyOf", "oneOf", "type"], path);
    if (!Array.isArray(list) || list.length === 0)
      throw refused(path, "anyOf and oneOf need a list of schemas");
    return this.#add(list.map((one, index) => this.rule(one, `${path}[${index}]`, depth + 1)).join(" | "));
  }

  #typed(schema: JsonObject, type: unknown, types: readonly unknown[], path: string, depth: number): string {
    const allowed = types.flatMap((one) => (typeof one === "string" ? (keywordsOf[one] ?? []) : []));
    refuseKeywords(schema, ["type", ...allowed], path);
    switch (type) {
      case "object":
        return this.#object(schema, path, depth);
      case "array":
        return this.#array(schema, path, depth);
      case "string":
        return this.#string(schema, path);
      case "integer":
        return this.#integer(schema, path);
      case "number":
        if (hasRange(schema)) throw refused(path, "bounds are only possible for integers");
        return "number";
      case "boolean":
        return this.#add('"true" | "false"');
      case "null":
        return this.#add('"null"');
      default:
        throw refused(`${path}.type`, "it is not a JSON type");
    }
  }

  /** Required members first to last, then optional ones, each of which may be left out. */
  #object(schema: JsonObject, path: string, depth: number): string {
    const properties = schema.properties ?? {};
    if (!isJsonObject(properties)) throw refused(`${path}.properties`, "it is not an object");
    const names = Object.keys(properties);
    if (names.length === 0) return this.#map(schema, path, depth);
    const required = Array.isArray(schema.required) ? schema.required : [];
    const members = names.map((name) => {
      const value = this.rule(properties[name], `${path}.properties.${name}`, depth + 1);
      return { rule: this.#add(`${literal(name)} ":" ws ${value}`), required: required.includes(name) };
    });
    const missing = required.find((name) => typeof name !== "string" || !names.includes(name));
    if (missing !== undefined) throw refused(`${path}.required`, "it names a property that is not described");
    const needed = members.filter((member) => member.required).map((member) => member.rule);
    const optional = members.filter((member) => !member.required).map((member) => member.rule);
    // tails[k]: what may follow once something is there already, from the k-th optional member on.
    const tails: string[] = [];
    for (const member of optional.toReversed()) {
      const next = tails[0];
      tails.unshift(this.#add(`("," ws ${member})?${next === undefined ? "" : ` ${next}`}`));
    }
    if (needed.length > 0) {
      return this.#add(`"{" ${needed.join(' "," ws ')} ${tails[0] ?? ""} "}"`);
    }
    const starts = optional.map((member, index) => `${member} ${tails[index + 1] ?? ""}`);
    return this.#add(`"{" (${starts.join(" | ")})? "}"`);
  }

  #map(schema: JsonObject, path: string, depth: number): string {
    const additional = schema.additionalProperties ?? true;
    if (Array.isArray(schema.required) && schema.required.length > 0) {
      throw refused(`${path}.required`, "it names a property that is not described");
    }
    if (additional === false) return this.#add('"{" "}"');
    if (additional === true) return "object";
    const value = this.rule(additional, `${path}.additionalProperties`, depth + 1);
    const member = this.#add(`string ":" ws ${value}`);
    return this.#add(`"{" (${member} ("," ws ${member})*)? "}"`);
  }

  #array(schema: JsonObject, path: string, depth: number): string {
    const item = this.rule(schema.items ?? true, `${path}.items`, depth + 1);
    const min = count(schema, "minItems", path) ?? 0;
    const max = count(schema, "maxItems", path);
    if (max !== undefined && max < min) throw refused(path, "maxItems is below minItems");
    if (max === 0) return this.#add('"[" "]"');
    const more = `("," ws ${item}){${Math.max(0, min - 1)},${max === undefined ? "" : max - 1}}`;
    return this.#add(min === 0 ? `"[" (${item} ${more})? "]"` : `"[" ${item} ${more} "]"`);
  }

  #string(schema: JsonObject, path: string): string {
    const min = count(schema, "minLength", path) ?? 0;
    const max = count(schema, "maxLength", path);
    if (min === 0 && max === undefined) return "string";
    if (max !== undefined && max < min) throw refused(path, "maxLength is below minLength");
    return this.#add(`"\\"" char{${min},${max ?? ""}} "\\""`);
  }

  #integer(schema: JsonObject, path: string): string {
    if (!hasRange(schema)) return "integer";
    const min = schema.minimum ?? Number.MIN_SAFE_INTEGER;
    const max = schema.maximum ?? Number.MAX_SAFE_INTEGER;
    if (typeof min !== "number" || typeof max !== "number") throw refused(path, "its bounds are not numbers");
    const from = Math.ceil(min);
    const to = Math.floor(max);
    const open = to >= Number.MAX_SAFE_INTEGER;
    if (open && from <= Number.MIN_SAFE_INTEGER) return "integer";
    if (open && from === 0) return "natural";
    if (open && from === 1) return this.#add("[1-9] [0-9]{0,14}");
    if (to < from) throw refused(path, "no integer is within its bounds");
    if (to - from > largestEnumeratedRange) {
      throw refused(path, `integer bounds may span at most ${largestEnumeratedRange} values`);
    }
    const values = Array.from({ length: to - from + 1 }, (_, index) => literal(from + index));
    return this.#add(values.join(" | "));
  }
}

function refused(path: string, why: string): Error {
  return badRequest(
    `Invalid schema for response_format, at ${path}: ${why}.`,
    "response_format",
    "unsupported_schema",
  );
}

function refuseKeywords(schema: JsonObject, allowed: readonly string[], path: string): void {
  const unknown = Object.keys(schema).find((key) => !allowed.includes(key) && !annotations.has(key));
  if (unknown !== undefined) {
    throw refused(path, `local models cannot be held to '${unknown}' here`);
  }
}

function impliedType(schema: JsonObject): string | undefined {
  if ("properties" in schema) return "object";
  return "items" in schema ? "array" : undefined;
}

function hasRange(schema: JsonObject): boolean {
  return schema.minimum !== undefined || schema.maximum !== undefined;
}

function count(schema: JsonObject, name: string, path: string): number | undefined {
  const value = schema[name];
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > largestRepetition) {
    throw refused(`${path}.${name}`, `expected an integer from 0 to ${largestRepetition}`);
  }
  return value;
}

/** A JSON value as a GBNF string: exactly this text. */
function literal(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  return `"${escaped}"`;
}
