const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const EMPTY = new Uint8Array(0);

/** An event that is not complete after this many bytes is not an event; no provider sends a tenth of it. */
export const MAX_FRAME_BYTES = 32 * 1024 * 1024;

/**
 * Looks at one whole frame, its delimiter included, and returns what is to be handed on in its place: the same bytes,
 * others, or none.
 */
export type FrameReader = (frame: Uint8Array) => Uint8Array;

/** Whether a line feed ends a frame (NDJSON), or an empty line does (server-sent events). */
export type Framing = "line" | "blank-line";

/**
 * Cuts a byte stream into frames, on bytes, so that neither a UTF-8 sequence nor an event is ever read in halves.
 * An incomplete frame is held back until it is whole. Where nothing changes, the received chunk itself is handed on.
 */
export class FrameRelay {
  readonly #framing: Framing;
  readonly #read: FrameReader;
  /** The beginning of a frame that is not whole yet, as it came. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;

  constructor(framing: Framing, read: FrameReader) {
    this.#framing = framing;
    this.#read = read;
  }

  push(chunk: Uint8Array): Uint8Array {
    if (this.#held.length > 0 && !this.#mayEnd(chunk)) {
      this.#hold(chunk);
      return EMPTY;
    }
    // A delimiter may straddle the chunks: look again from just before the seam.
    let search = Math.max(0, this.#heldBytes - 3);
    const joined = this.#release(chunk);
    let start = 0;
    let changed = false;
    const out: Uint8Array[] = [];
    for (;;) {
      const end = this.#endOfFrame(joined, search);
      if (end < 0) break;
      const frame = start === 0 && end === joined.length ? joined : joined.subarray(start, end);
      const kept = this.#read(frame);
      if (kept !== frame) changed = true;
      if (kept.length > 0) out.push(kept);
      start = end;
      search = end;
    }
    if (start < joined.length) this.#hold(joined.subarray(start));
    if (!changed) return start === joined.length ? joined : joined.subarray(0, start);
    return out.length === 1 ? (out[0] ?? EMPTY) : concat(out);
  }

  /** The stream has ended: reads what is left, even without its delimiter, and hands it on. */
  rest(): Uint8Array {
    const last = this.#release(EMPTY);
    return last.length === 0 ? last : this.#read(last);
  }

  /** Without a line feed in it no chunk ends a frame: a long one is then held in pieces and joined once. */
  #mayEnd(chunk: Uint8Array): boolean {
    return chunk.indexOf(NEWLINE) >= 0;
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > MAX_FRAME_BYTES) throw new Error(`an event of more than ${MAX_FRAME_BYTES} bytes`);
  }

  /** What was held, with `chunk` behind it. */
  #release(chunk: Uint8Array): Uint8Array {
    if (this.#held.length === 0) return chunk;
    const joined = concat([...this.#held, chunk]);
    this.#held = [];
    this.#heldBytes = 0;
    return joined;
  }

  /** One past the delimiter of the first frame that ends at or after `from`, or -1. */
  #endOfFrame(bytes: Uint8Array, from: number): number {
    let at = bytes.indexOf(NEWLINE, from);
    if (this.#framing === "line") return at < 0 ? -1 : at + 1;
    while (at >= 0) {
      let next = at + 1;
      if (bytes[next] === CARRIAGE_RETURN) next++;
      if (bytes[next] === NEWLINE) return next + 1;
      at = bytes.indexOf(NEWLINE, at + 1);
    }
    return -1;
  }
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
