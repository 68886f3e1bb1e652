import { type GatewayError, gatewayError } from "./error.ts";
import { ok, type Result, refuse } from "./result.ts";

/** A JSON object as it came over the wire: its bytes, its value, and where each top-level field's value lies. */
export interface JsonObject {
  readonly bytes: Uint8Array;
  readonly value: Readonly<Record<string, unknown>>;
  /** Field name -> [first byte of the value, one past its last byte]. */
  readonly spans: ReadonlyMap<string, readonly [number, number]>;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/**
 * Reads a JSON object (RFC 8259) and notes where its fields lie, so that one field can be replaced without touching the
 * rest. Refuses what two readers could understand differently: invalid UTF-8, and a top-level field given twice (we
 * would charge for one `model` and the provider might serve the other).
 */
export function readJsonObject(bytes: Uint8Array, maxDepth: number): Result<JsonObject> {
  if (bytes.length === 0) return refuse(badBody("The request has no body; a JSON object is expected."));
  const depth = measureDepth(bytes, maxDepth);
  if (depth > maxDepth) return refuse(badBody(`The body is nested deeper than ${maxDepth} levels.`));
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (thrown) {
    const what = thrown instanceof SyntaxError ? "valid JSON" : "valid UTF-8";
    return refuse(badBody(`The body is not ${what}.`));
  }
  if (!isRecord(value)) return refuse(badBody("The body must be a JSON object."));
  const spans = new Map<string, readonly [number, number]>();
  const duplicate = findSpans(bytes, spans);
  if (duplicate !== undefined) {
    return refuse(badBody(`The field '${printable(duplicate)}' is given twice.`, printable(duplicate)));
  }
  return ok({ bytes, value, spans });
}

/** The object's bytes with some top-level fields set to other values, everything else as it came. */
export function withFields(object: JsonObject, fields: Readonly<Record<string, unknown>>): Uint8Array {
  const edits: { start: number; end: number; bytes: Uint8Array }[] = [];
  let added = "";
  for (const [name, value] of Object.entries(fields)) {
    const span = object.spans.get(name);
    const text = JSON.stringify(value);
    if (span) edits.push({ start: span[0], end: span[1], bytes: encoder.encode(text) });
    else added += `${JSON.stringify(name)}:${text},`;
  }
  if (added !== "") {
    const at = object.bytes.indexOf(OPEN_BRACE) + 1;
    const text = object.spans.size === 0 ? added.slice(0, -1) : added;
    edits.push({ start: at, end: at, bytes: encoder.encode(text) });
  }
  edits.sort((a, b) => a.start - b.start);
  return splice(object.bytes, edits);
}

/** The object's bytes without one top-level field and its comma, everything else as it came. */
export function withoutField({ bytes, spans }: JsonObject, name: string): Uint8Array {
  const span = spans.get(name);
  if (span === undefined) return bytes;
  let before: readonly [number, number] | undefined;
  for (const [field, other] of spans) {
    if (field === name) break;
    before = other;
  }
  const start = before?.[1] ?? bytes.indexOf(OPEN_BRACE) + 1;
  // The first field takes the comma after it along, any other the one before.
  const end = before === undefined && spans.size > 1 ? bytes.indexOf(COMMA, span[1]) + 1 : span[1];
  return splice(bytes, [{ start, end, bytes: new Uint8Array(0) }]);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function splice(
  bytes: Uint8Array,
  edits: readonly { start: number; end: number; bytes: Uint8Array }[],
): Uint8Array {
  let length = bytes.length;
  for (const edit of edits) length += edit.bytes.length - (edit.end - edit.start);
  const out = new Uint8Array(length);
  let from = 0;
  let to = 0;
  for (const edit of edits) {
    out.set(bytes.subarray(from, edit.start), to);
    to += edit.start - from;
    out.set(edit.bytes, to);
    to += edit.bytes.length;
    from = edit.end;
  }
  out.set(bytes.subarray(from), to);
  return out;
}

function badBody(message: string, param?: string): GatewayError {
  return gatewayError("bad_request", message, param === undefined ? undefined : { param });
}

/** A field name fit for an error message: control characters out, at most 64 characters. */
function printable(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name.replace(/[\u0000-\u001f\u007f]/g, "?").slice(0, 64);
}

/** The deepest nesting, counted before the parser recurses; stops at the first level beyond `limit`. */
function measureDepth(bytes: Uint8Array, limit: number): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      i = endOfString(bytes, i) - 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth > deepest) deepest = depth;
      if (depth > limit) return deepest;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--;
    }
  }
  return deepest;
}

/** Fills `spans` from bytes that are known to be a valid JSON object; gives the first name that comes twice. */
function findSpans(bytes: Uint8Array, spans: Map<string, readonly [number, number]>): string | undefined {
  let at = bytes.indexOf(OPEN_BRACE) + 1;
  for (;;) {
    at = skipBlanks(bytes, at);
    const byte = bytes[at];
    if (byte === CLOSE_BRACE || byte === undefined) return undefined;
    if (byte === COMMA) {
      at++;
      continue;
    }
    const keyEnd = endOfString(bytes, at);
    const name: string = JSON.parse(decoder.decode(bytes.subarray(at, keyEnd)));
    const start = skipBlanks(bytes, bytes.indexOf(COLON, keyEnd) + 1);
    const end = endOfValue(bytes, start);
    if (spans.has(name)) return name;
    spans.set(name, [start, end]);
    at = end;
  }
}

function endOfValue(bytes: Uint8Array, start: number): number {
  const first = bytes[start];
  if (first === QUOTE) return endOfString(bytes, start);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return endOfScalar(bytes, start);
  let depth = 0;
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) i = endOfString(bytes, i) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
  return bytes.length;
}

function endOfScalar(bytes: Uint8Array, start: number): number {
  let i = start;
  while (i < bytes.length) {
    const byte = bytes[i];
    if (byte === COMMA || byte === CLOSE_BRACE || isBlank(byte)) break;
    i++;
  }
  return i;
}

/** One past the closing quote of the string that opens at `start`. */
function endOfString(bytes: Uint8Array, start: number): number {
  let from = start + 1;
  for (;;) {
    const quote = bytes.indexOf(QUOTE, from);
    if (quote < 0) return bytes.length;
    let slashes = 0;
    while (bytes[quote - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

function skipBlanks(bytes: Uint8Array, start: number): number {
  let i = start;
  while (isBlank(bytes[i])) i++;
  return i;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
