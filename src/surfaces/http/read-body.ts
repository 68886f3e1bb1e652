import { gatewayError } from "../../core/error.ts";
import { ok, type Result, refuse } from "../../core/result.ts";

export interface BodyLimits {
  /** The largest body. */
  readonly maxBytes: number;
  /** All bodies that are held at once. */
  readonly maxHeldBytes: number;
}

/** Bytes of request bodies in memory, and the bound that they share. */
export class HeldBodies {
  readonly limits: BodyLimits;
  #heldBytes = 0;

  constructor(limits: BodyLimits) {
    this.limits = limits;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes room for `bytes` more, if there is any. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.limits.maxHeldBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}

/** A body that has been read, and how to give its room back. */
export interface HeldBody {
  readonly bytes: Uint8Array;
  release(): void;
}

/** Room for a body of this size is taken at once; announcing more reserves nothing, or eight callers could take it all. */
const TRUSTED_BYTES = 64 * 1024;

/** Reads a request's body, within both bounds. Encoded bodies are refused: nobody sends them to a model. */
export async function readBody(request: Request, held: HeldBodies): Promise<Result<HeldBody>> {
  const { maxBytes } = held.limits;
  const encoding = request.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    return refuse(
      gatewayError("bad_request", `The content encoding '${encoding.slice(0, 32)}' is not supported.`),
    );
  }
  const announced = request.headers.get("content-length");
  if (announced === null) return await readInPieces(request, held);
  // Two equal headers are joined by a comma, which is no number; nobody sends them who means well.
  if (!/^\d{1,15}$/.test(announced))
    return refuse(gatewayError("bad_request", "The content length is not a number."));
  const length = Number(announced);
  if (length > maxBytes) return refuse(tooLarge(maxBytes));
  if (length > TRUSTED_BYTES) return await readInPieces(request, held);
  if (!held.take(length)) return refuse(fullHouse());
  try {
    const bytes = new Uint8Array(await request.arrayBuffer());
    return ok({ bytes, release: () => held.give(length) });
  } catch {
    held.give(length);
    return refuse(cutShort());
  }
}

/** Reads a body that is JSON and no inference. An empty one is an empty object. */
export async function readJsonBody(request: Request, held: HeldBodies): Promise<Result<unknown>> {
  const body = await readBody(request, held);
  if (!body.ok) return body;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body.value.bytes);
    return ok(text === "" ? {} : JSON.parse(text));
  } catch {
    return refuse(gatewayError("bad_request", "The body is not valid JSON."));
  } finally {
    body.value.release();
  }
}

/** A body takes room as it arrives: one that says its size only by ending, and one that announces much. */
async function readInPieces(request: Request, held: HeldBodies): Promise<Result<HeldBody>> {
  const { maxBytes } = held.limits;
  const parts: Uint8Array[] = [];
  let size = 0;
  const release = () => held.give(size);
  try {
    for await (const part of request.body ?? []) {
      if (size + part.length > maxBytes || !held.take(part.length)) {
        release();
        return refuse(size + part.length > maxBytes ? tooLarge(maxBytes) : fullHouse());
      }
      size += part.length;
      parts.push(part);
    }
  } catch {
    release();
    return refuse(cutShort());
  }
  return ok({ bytes: new Uint8Array(Buffer.concat(parts)), release });
}

function tooLarge(maxBytes: number) {
  return gatewayError("too_large", `The body is larger than ${maxBytes} bytes.`);
}

function fullHouse() {
  const text = "The gateway holds as many request bodies as it may; try again in a moment.";
  return gatewayError("overloaded", text, { retryAfterMs: 1_000 });
}

function cutShort() {
  return gatewayError("client_closed", "The request's body ended too early.");
}
