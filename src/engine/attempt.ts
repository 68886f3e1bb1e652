import { type GatewayError, GatewayFailure, gatewayError } from "../core/error.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import type { InferenceRequest, ProviderReply, Target } from "./ports.ts";

/** How long a provider may keep an answer open after its last event. */
const ENDING_MS = 1_000;

/** A request under way at a provider. */
export interface Attempt {
  readonly target: Target;
  readonly startedAtMs: number;
  readonly reply: ProviderReply;
  /** Call when bytes have arrived, or have been taken by the caller: the idle time-out starts again. */
  alive(): void;
  /** Call when bytes are handed to the caller: until `alive`, it is the caller that is waited for. */
  handing(): void;
  /** What to do when a caller has not taken what was handed to it within the idle time-out. */
  whenStalled(callback: () => void): void;
  /** The head has come, and the body is read whole: from now on only the longest time allowed counts. */
  readingWhole(): void;
  /** The answer is complete: what may still come is waited for only briefly, so that the connection can be used again. */
  ending(): void;
  /** Gives the provider up: closes the connection, which makes it stop. */
  cancel(): void;
  /** Why it was given up, if a time-out did it. */
  timedOut(): GatewayError | undefined;
  /** The answer has been read to its end (or given up): no time-out runs any more. */
  done(): void;
}

/**
 * Sends a request to one target under its time-outs, until the answer's head is there. `signal` is the caller leaving.
 * Throws `GatewayFailure` when no answer comes.
 */
export async function attempt(
  deadlines: Deadlines,
  request: InferenceRequest,
  target: Target,
  headers: Readonly<Record<string, string>>,
  startedAtMs: number,
  signal: AbortSignal,
): Promise<Attempt> {
  const { timeouts } = target.provider;
  const controller = new AbortController();
  let timeout: GatewayError | undefined;
  const begunMs = deadlines.nowMs();
  const endMs = begunMs + timeouts.totalMs;
  let answering = false;
  let handing = false;
  let stalled = () => {};
  const deadline: Deadline = {
    atMs: Math.min(endMs, begunMs + timeouts.firstByteMs),
    expire(reason) {
      timeout = reason ?? (handing ? callerStalled() : timeoutError(answering, deadlines.nowMs() >= endMs));
      controller.abort();
      if (handing) stalled();
    },
  };
  const leave = () => controller.abort();
  const done = () => {
    deadlines.forget(deadline);
    signal.removeEventListener("abort", leave);
  };
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave);
  deadlines.watch(deadline);
  try {
    const reply = await target.provider.send({
      protocol: request.protocol,
      model: target.model,
      body: request.bodyFor(target.provider.nameInBody(target.model, request.model)),
      headers,
      signal: controller.signal,
    });
    return {
      target,
      startedAtMs,
      reply,
      alive() {
        answering = true;
        handing = false;
        deadline.atMs = Math.min(endMs, deadlines.nowMs() + timeouts.idleMs);
      },
      handing() {
        handing = true;
      },
      whenStalled(callback) {
        stalled = callback;
      },
      readingWhole() {
        answering = true;
        deadline.atMs = endMs;
      },
      ending() {
        deadline.atMs = deadlines.nowMs() + ENDING_MS;
      },
      cancel: () => controller.abort(),
      timedOut: () => timeout,
      done,
    };
  } catch (thrown) {
    done();
    if (signal.aborted) throw new GatewayFailure(clientClosed(), thrown);
    if (timeout !== undefined) throw new GatewayFailure(timeout, thrown);
    throw thrown;
  }
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
