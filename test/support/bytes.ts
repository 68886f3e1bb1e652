/** Byte helpers of the test doubles: everything on a wire is bytes first, text only where it was asked for. */

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function toBytes(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}

/** Strict: throws on a sequence that is not UTF-8, so that a test never compares replacement characters. */
export function fromUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

export function concat(parts: Iterable<Uint8Array>): Uint8Array {
  return new Uint8Array(Buffer.concat([...parts]));
}

/** Position of `needle` at or after `from`, or -1. */
export function indexOfBytes(haystack: Uint8Array, needle: Uint8Array, from = 0): number {
  return Buffer.from(haystack.buffer, haystack.byteOffset, haystack.byteLength).indexOf(needle, from);
}

/**
 * How to cut a byte stream into network pieces:
 * - `"as-is"`: keep the given pieces
 * - `"one-piece"`: all in one
 * - `"every-byte"`: one byte each
 * - `"inside-utf8"`: a cut after the first byte of every multi-byte character
 * - a number: pieces of that size; a list: those sizes, the last one repeated
 * - `{ seed, max }`: random sizes from 1 to `max` (default 64), the same for the same seed
 */
export type Split =
  | "as-is"
  | "one-piece"
  | "every-byte"
  | "inside-utf8"
  | number
  | readonly number[]
  | { readonly seed: number; readonly max?: number };

export function rechunk(data: Uint8Array | readonly Uint8Array[], split: Split): Uint8Array[] {
  const pieces = data instanceof Uint8Array ? [data] : data;
  if (split === "as-is") return pieces.filter((piece) => piece.length > 0);
  const bytes = concat(pieces);
  if (bytes.length === 0) return [];
  if (split === "one-piece") return [bytes];
  if (split === "every-byte") return cutBySizes(bytes, () => 1);
  if (split === "inside-utf8") return cutInsideUtf8(bytes);
  if (typeof split === "number") return cutBySizes(bytes, () => split);
  if ("seed" in split) {
    const random = seededRandom(split.seed);
    const max = split.max ?? 64;
    return cutBySizes(bytes, () => 1 + Math.floor(random() * max));
  }
  const last = split.at(-1) ?? bytes.length;
  return cutBySizes(bytes, (nth) => split[nth] ?? last);
}

function cutBySizes(bytes: Uint8Array, sizeOf: (nth: number) => number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = sizeOf(pieces.length);
    if (!Number.isInteger(size) || size < 1)
      throw new RangeError(`a piece of ${size} bytes makes no progress`);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function cutInsideUtf8(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const [at, byte] of bytes.entries()) {
    const leadsSequence = byte >= 0xc0;
    if (!leadsSequence) continue;
    pieces.push(bytes.subarray(from, at + 1));
    from = at + 1;
  }
  if (from < bytes.length) pieces.push(bytes.subarray(from));
  return pieces;
}

/** mulberry32: small, and the same on every machine. Returns numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
