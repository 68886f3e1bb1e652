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
  const { spans, tooDeep, duplicate } = scan(bytes, maxDepth);
  if (tooDeep) return refuse(badBody(`The body is nested deeper than ${maxDepth} levels.`));
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (thrown) {
    const what = thrown instanceof SyntaxError ? "valid JSON" : "valid UTF-8";
    return refuse(badBody(`The body is not ${what}.`));
  }
  if (!isRecord(value)) return refuse(badBody("The body must be a JSON object."));
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

interface Scan {
  readonly spans: Map<string, readonly [number, number]>;
  readonly tooDeep: boolean;
  /** The first top-level name that comes twice. */
  readonly duplicate: string | undefined;
}

/**
 * One walk over the bytes, before the parser recurses into them: how deep they are nested, and where the fields of the
 * outermost object lie. What it says of the fields holds if the bytes turn out to be JSON.
 */
function scan(bytes: Uint8Array, maxDepth: number): Scan {
  const spans = new Map<string, readonly [number, number]>();
  let duplicate: string | undefined;
  let depth = 0;
  let name: readonly [number, number] = [0, 0];
  let valueAt = -1;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      const end = endOfString(bytes, i);
      if (depth === 1 && valueAt < 0) name = [i, end];
      i = end - 1;
    } else if (byte === COLON) {
      if (depth === 1 && valueAt < 0) valueAt = i + 1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > maxDepth) return { spans, tooDeep: true, duplicate };
    } else if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 1 && valueAt >= 0) {
        const field = nameAt(bytes, name);
        if (spans.has(field)) duplicate ??= field;
        else spans.set(field, trimmed(bytes, valueAt, i));
        valueAt = -1;
      }
      if (byte !== COMMA) depth--;
    }
  }
  return { spans, tooDeep: false, duplicate };
}

/** The name that stands between two quotes, its escapes resolved: `"\u006dodel"` is `model` too. */
function nameAt(bytes: Uint8Array, [start, end]: readonly [number, number]): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
  if (!text.includes("\\")) return text.slice(1, -1);
  try {
    return String(JSON.parse(text));
  } catch {
    return text; // not JSON: the parser will say so
  }
}

function trimmed(bytes: Uint8Array, start: number, end: number): readonly [number, number] {
  let first = start;
  let last = end;
  while (isBlank(bytes[first])) first++;
  while (last > first && isBlank(bytes[last - 1])) last--;
  return [first, last];
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

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
