import { badRequest } from "./api-error.ts";

/** A JSON object as it came: nothing about its values is known yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The body of a request as a JSON object. Throws 400 for anything else. */
export function parseJsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badRequest("The request body is not valid JSON.");
  }
  if (!isJsonObject(value)) throw badRequest("The request body must be a JSON object.");
  return value;
}

function wrongType(name: string, expected: string, value: unknown): Error {
  const got = Array.isArray(value) ? "an array" : value === null ? "null" : `a ${typeof value}`;
  return badRequest(
    `Invalid type for '${name}': expected ${expected}, but got ${got} instead.`,
    name,
    "invalid_type",
  );
}

/** Bounds of a number, both inclusive. */
export interface NumberBounds {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** The number under `name`; absent and null are undefined. Throws 400 for another type or outside `bounds`. */
export function optionalNumber(body: JsonObject, name: string, bounds: NumberBounds): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  const kind = bounds.integer === true ? "an integer" : "a number";
  if (typeof value !== "number" || !Number.isFinite(value)) throw wrongType(name, kind, value);
  if (bounds.integer === true && !Number.isSafeInteger(value)) throw wrongType(name, kind, value);
  if (value < bounds.min || value > bounds.max) {
    throw badRequest(
      `Invalid '${name}': expected ${kind} from ${bounds.min} to ${bounds.max}, but got ${value} instead.`,
      name,
      value < bounds.min ? "below_min_value" : "above_max_value",
    );
  }
  return value;
}

/** The boolean under `name`; absent and null are undefined. Throws 400 for another type. */
export function optionalBoolean(body: JsonObject, name: string): boolean | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined || typeof value === "boolean") return value;
  throw wrongType(name, "a boolean", value);
}

/** The string under `name`; absent and null are undefined. Throws 400 for another type. */
export function optionalString(body: JsonObject, name: string): string | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(name, "a string", value);
}

/** The object under `name`; absent and null are undefined. Throws 400 for another type. */
export function optionalObject(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined || isJsonObject(value)) return value;
  throw wrongType(name, "an object", value);
}

/** The non-empty array under `name`. Throws 400 if it is missing, empty or not an array. */
export function requiredArray(body: JsonObject, name: string): readonly unknown[] {
  const value = body[name] ?? undefined;
  if (value === undefined) throw missing(name);
  if (!Array.isArray(value)) throw wrongType(name, "an array", value);
  if (value.length === 0) {
    throw badRequest(`Invalid '${name}': expected at least one element.`, name, "empty_array");
  }
  return value;
}

/** The 400 for a field that must be there. */
export function missing(name: string): Error {
  return badRequest(`Missing required parameter: '${name}'.`, name, "missing_required_parameter");
}

/** `model` as it came; it is echoed, not used to choose a file. Throws 400 if missing. */
export function modelName(body: JsonObject): string {
  const name = optionalString(body, "model");
  if (name === undefined) throw missing("model");
  return name;
}

/** Stop strings: one or up to 16, none of them empty. Throws 400 otherwise. */
export function stopStrings(body: JsonObject): readonly string[] {
  const value = body.stop ?? undefined;
  if (value === undefined) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > 16) throw badRequest("Invalid 'stop': expected at most 16 strings.", "stop");
  return list.map((item) => {
    if (typeof item !== "string") throw wrongType("stop", "a string or an array of strings", item);
    if (item === "") throw badRequest("Invalid 'stop': a stop string may not be empty.", "stop");
    return item;
  });
}

/** `stream` and `stream_options.include_usage`. Throws 400 for wrong types, or options without a stream. */
export function streamFields(body: JsonObject): { stream: boolean; includeUsage: boolean } {
  const stream = optionalBoolean(body, "stream") ?? false;
  const options = optionalObject(body, "stream_options");
  if (options === undefined) return { stream, includeUsage: false };
  if (!stream) {
    throw badRequest(
      "The 'stream_options' parameter is only allowed when 'stream' is true.",
      "stream_options",
    );
  }
  const include = options.include_usage ?? false;
  if (typeof include !== "boolean") throw wrongType("stream_options.include_usage", "a boolean", include);
  return { stream, includeUsage: include };
}

/** Throws 400 unless `n` (or another count named `name`) is absent or 1. */
export function onlyOne(body: JsonObject, name: string): void {
  const value = optionalNumber(body, name, { min: 1, max: 128, integer: true }) ?? 1;
  if (value !== 1) throw unsupported(name, "local models give one choice per request");
}

/** The 400 for a parameter that local models do not have. `why` completes "because ...". */
export function unsupported(name: string, why: string): Error {
  return badRequest(`'${name}' is not supported by local models: ${why}.`, name, "unsupported_parameter");
}

/** A token id list, such as `[9906, 1917]`: every element a whole number from 0 below `2^31`. */
export function isTokenList(value: unknown): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => Number.isInteger(item) && item >= 0 && item < 2 ** 31)
  );
}
