import { cancelled, PullStop, TransientFailure, throwIfCancelled } from "./pull-error.ts";

/** The part of `fetch` that a pull uses. `decompress: false` keeps byte counts and ranges true. */
export type Fetch = (
  url: string,
  init: { headers: Record<string, string>; redirect: "manual"; signal: AbortSignal; decompress: boolean },
) => Promise<Response>;

/** Everything that reaches out of the process, with the patience to be had. All of it injectable. */
export type Network = {
  readonly fetch: Fetch;
  /** Resolves after `delayMs`, or rejects or resolves early when `signal` fires. */
  readonly sleep: (delayMs: number, signal: AbortSignal | undefined) => Promise<void>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly signal: AbortSignal | undefined;
  /** The longest wait for headers or for the next bytes. */
  readonly idleTimeoutMs: number;
  /** Failures in a row, without any new byte, before a pull gives up. */
  readonly maxRetries: number;
  readonly allowInsecure: boolean;
  /** Without a trailing slash. */
  readonly hubUrl: string;
  /** Sent to the origin of `hubUrl` and nowhere else. */
  readonly token: string | undefined;
};

const backOffBaseMs = 500;
const backOffCapMs = 15_000;
/** Longer wishes of a server end the pull with `rate_limited`: a person should not watch a silent terminal. */
const longestServerPauseMs = 120_000;

/**
 * Runs `attempt` until it succeeds, fails for good, or fails `maxRetries` + 1 times in a row. An attempt that
 * `madeProgress` starts the count again. Pauses double from 0.5 s to 15 s unless the server says how long.
 */
export async function withRetries<T>(
  network: Network,
  attempt: () => Promise<T>,
  madeProgress: () => boolean = () => false,
): Promise<T> {
  let failures = 0;
  for (;;) {
    throwIfCancelled(network.signal);
    try {
      return await attempt();
    } catch (error) {
      throwIfCancelled(network.signal);
      if (!(error instanceof TransientFailure)) throw error;
      failures = madeProgress() ? 1 : failures + 1;
      if (failures > network.maxRetries) {
        throw new PullStop(
          error.kind,
          `${error.message} Gave up after ${failures} attempts; run it again to continue.`,
        );
      }
      const pauseMs = error.retryAfterMs ?? Math.min(backOffCapMs, backOffBaseMs * 2 ** (failures - 1));
      if (pauseMs > longestServerPauseMs) {
        const minutes = Math.ceil(pauseMs / 60_000);
        throw new PullStop("rate_limited", `${error.message} It asks to come back in ${minutes} minutes.`);
      }
      await network.sleep(pauseMs, network.signal).catch(() => undefined);
    }
  }
}

/** A time to wait, if the answer states one: `Retry-After` (RFC 9110, 10.2.3), or the hub's `RateLimit: ...;t=60`. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const after = headers.get("retry-after")?.trim();
  if (after !== undefined && /^\d{1,9}$/.test(after)) return Number(after) * 1000;
  const date = after === undefined ? Number.NaN : Date.parse(after);
  if (!Number.isNaN(date)) return Math.max(0, date - nowMs);
  const reset = /;\s*t=(\d{1,9})/.exec(headers.get("ratelimit") ?? "");
  return reset ? Number(reset[1]) * 1000 : undefined;
}

/** An address fit for people and records: without query (it may hold a signature), credentials and fragment. */
export function displayUrl(url: string): string {
  if (!URL.canParse(url)) return "(invalid address)";
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/**
 * Bounds every wait of one exchange: a promise passed through `during` rejects with a `TransientFailure` when
 * nothing came for `idleTimeoutMs`, and with `cancelled` when the caller's signal fires.
 */
export class IdleWatch {
  readonly #controller = new AbortController();
  readonly #cancel = () => this.#controller.abort(cancelled());

  constructor(
    private readonly network: Network,
    private readonly what: string,
  ) {
    network.signal?.addEventListener("abort", this.#cancel, { once: true });
    if (network.signal?.aborted) this.#cancel();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async during<T>(work: Promise<T>): Promise<T> {
    const { promise: stopped, reject } = Promise.withResolvers<never>();
    const onAbort = () => reject(this.signal.reason);
    const timer = setTimeout(() => {
      const seconds = Math.round(this.network.idleTimeoutMs / 1000);
      this.#controller.abort(
        new TransientFailure("unreachable", `${this.what} sent nothing for ${seconds} seconds.`),
      );
    }, this.network.idleTimeoutMs);
    this.signal.addEventListener("abort", onAbort, { once: true });
    if (this.signal.aborted) onAbort();
    try {
      return await Promise.race([work, stopped]);
    } finally {
      clearTimeout(timer);
      this.signal.removeEventListener("abort", onAbort);
      // Whichever lost the race must not become an unhandled rejection.
      work.catch(() => undefined);
      stopped.catch(() => undefined);
    }
  }

  /** Ends the exchange, whatever its state. Must be called once. */
  close(): void {
    this.network.signal?.removeEventListener("abort", this.#cancel);
    this.#controller.abort(new TransientFailure("unreachable", "The exchange has ended."));
  }
}
