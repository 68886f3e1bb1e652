import type { GatewayError } from "../core/error.ts";
import { isRecord } from "../core/json-object.ts";
import type { Usage } from "../core/usage.ts";
import type { AnswerFacts, AnswerReader } from "../engine/ports.ts";
import { FrameRelay, type Framing } from "./frames.ts";

const EMPTY = new Uint8Array(0);
const decoder = new TextDecoder();

type Json = Readonly<Record<string, unknown>>;

/**
 * The common part of following an answer: framing, and what has been learnt. A protocol says how one event is read
 * (`readEvent`) and how a whole answer is (`readWhole`).
 */
export abstract class JsonAnswerReader implements AnswerReader {
  readonly #frames: FrameRelay;
  protected usage: Usage | undefined;
  protected error: GatewayError | undefined;
  protected complete = false;
  protected textBytes = 0;
  protected textPieces = 0;
  #ended = false;

  constructor(framing: Framing) {
    this.#frames = new FrameRelay(framing, (frame) => this.readFrame(frame));
  }

  get ended(): boolean {
    return this.#ended;
  }

  piece(bytes: Uint8Array): Uint8Array {
    return this.#frames.push(bytes);
  }

  rest(): Uint8Array {
    return this.#frames.rest();
  }

  whole(bytes: Uint8Array): Uint8Array {
    const body = parseJson(decoder.decode(bytes));
    if (!isRecord(body)) return bytes;
    this.readWhole(body);
    // It has been read to its end, whatever it says of how it ended.
    this.complete = true;
    return bytes;
  }

  facts(): AnswerFacts {
    return {
      usage: this.usage,
      complete: this.complete,
      textBytes: this.textBytes,
      textPieces: this.textPieces,
      ...(this.error === undefined ? {} : { error: this.error }),
    };
  }

  /** Reads one frame and returns what to hand on in its place. */
  protected abstract readFrame(frame: Uint8Array): Uint8Array;
  protected abstract readWhole(body: Json): void;

  /** The protocol's terminal event has come. */
  protected end(): void {
    this.complete = true;
    this.#ended = true;
  }

  /** The provider reported an error inside its answer: nothing follows. */
  protected fail(error: GatewayError): void {
    this.error = error;
    this.#ended = true;
  }

  /** Counts a piece of generated text. */
  protected produced(text: unknown): void {
    if (typeof text !== "string" || text === "") return;
    this.textBytes += Buffer.byteLength(text);
    this.textPieces++;
  }
}

export const NOTHING = EMPTY;

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
