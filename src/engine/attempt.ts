import { type GatewayError, GatewayFailure, gatewayError } from "../core/error.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { InferenceRequest, ProviderReply, Target } from "./ports.ts";

/** How long a provider may keep an answer open after its last event. */
const ENDING_MS = 1_000;

/** A request under way at a provider, with its time-outs. One deadline serves them all; it moves as things happen. */
export class Attempt {
  readonly target: Target;
  readonly #deadlines: Deadlines;
  readonly #caller: AbortSignal;
  readonly #controller = new AbortController();
  readonly #deadline: Deadline;
  readonly #endMs: number;
  #reply: ProviderReply | undefined;
  #answering = false;
  #handing = false;
  #timeout: GatewayError | undefined;
  #stalled = () => {};

  /** `caller` is the caller leaving. */
  constructor(deadlines: Deadlines, target: Target, caller: AbortSignal) {
    this.target = target;
    this.#deadlines = deadlines;
    this.#caller = caller;
    const { firstByteMs, totalMs } = target.provider.timeouts;
    const begunMs = deadlines.nowMs();
    this.#endMs = begunMs + totalMs;
    this.#deadline = {
      atMs: Math.min(this.#endMs, begunMs + firstByteMs),
      expire: (reason) => this.#expire(reason),
    };
    if (caller.aborted) this.cancel();
    caller.addEventListener("abort", this.cancel);
    deadlines.watch(this.#deadline);
  }

  /** Resolves when the answer's head is there. Throws `GatewayFailure` when no answer comes. */
  async send(request: InferenceRequest, headers: Readonly<Record<string, string>>): Promise<void> {
    const { provider, model } = this.target;
    try {
      this.#reply = await provider.send({
        protocol: request.protocol,
        model,
        body: request.bodyFor(provider.nameInBody(model, request.model)),
        headers,
        signal: this.#controller.signal,
      });
    } catch (thrown) {
      this.done();
      if (this.#caller.aborted) throw new GatewayFailure(clientClosed(), thrown);
      if (this.#timeout !== undefined) throw new GatewayFailure(this.#timeout, thrown);
      throw thrown;
    }
  }

  get reply(): ProviderReply {
    if (this.#reply === undefined) throw new Error("the request has not been answered yet");
    return this.#reply;
  }

  /** Bytes have arrived, or have been taken by the caller: the idle time-out starts again. */
  alive(): void {
    this.#answering = true;
    this.#handing = false;
    this.#deadline.atMs = Math.min(
      this.#endMs,
      this.#deadlines.nowMs() + this.target.provider.timeouts.idleMs,
    );
  }

  /** Bytes are handed to the caller: until `alive`, it is the caller that is waited for. */
  handing(): void {
    this.#handing = true;
  }

  /** What to do when a caller has not taken what was handed to it within the idle time-out. */
  whenStalled(callback: () => void): void {
    this.#stalled = callback;
  }

  /** The head has come, and the body is read whole: from now on only the longest time allowed counts. */
  readingWhole(): void {
    this.#answering = true;
    this.#deadline.atMs = this.#endMs;
  }

  /** The answer is complete: what may still come is waited for only briefly, so that the connection can be used again. */
  ending(): void {
    this.#deadline.atMs = this.#deadlines.nowMs() + ENDING_MS;
  }

  /** Gives the provider up: closes the connection, which makes it stop. */
  readonly cancel = (): void => {
    this.#controller.abort();
  };

  /** Why it was given up, if a time-out did it. */
  timedOut(): GatewayError | undefined {
    return this.#timeout;
  }

  /** The answer has been read to its end (or given up): no time-out runs any more. */
  done(): void {
    this.#deadlines.forget(this.#deadline);
    this.#caller.removeEventListener("abort", this.cancel);
  }

  #expire(reason: GatewayError | undefined): void {
    const total = this.#deadlines.nowMs() >= this.#endMs;
    this.#timeout = reason ?? (this.#handing ? callerStalled() : timeoutError(this.#answering, total));
    this.cancel();
    if (this.#handing) this.#stalled();
  }
}

/** Sends a request to one target under its time-outs, until the answer's head is there. */
export async function attempt(
  deadlines: Deadlines,
  request: InferenceRequest,
  target: Target,
  headers: Readonly<Record<string, string>>,
  caller: AbortSignal,
): Promise<Attempt> {
  const under = new Attempt(deadlines, target, caller);
  await under.send(request, headers);
  return under;
}

export function clientClosed(): GatewayError {
  return gatewayError("client_closed", "The client closed the connection before the answer was complete.");
}

function callerStalled(): GatewayError {
  return gatewayError("client_closed", "The client stopped reading its answer.");
}

function timeoutError(answering: boolean, total: boolean): GatewayError {
  if (total)
    return gatewayError("provider_timeout", "The provider took longer than the longest time allowed.");
  const text = answering
    ? "The provider stopped in the middle of its answer."
    : "The provider did not answer in time.";
  return gatewayError("provider_timeout", text);
}
