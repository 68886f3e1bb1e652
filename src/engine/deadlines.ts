import type { Clock } from "../core/clock.ts";
import type { GatewayError } from "../core/error.ts";

/** A point in time at which something is given up. Move it by setting `atMs` (on the monotonic clock). */
export interface Deadline {
  atMs: number;
  /** `reason`: why, where it is not the deadline that has come. */
  readonly expire: (reason?: GatewayError) => void;
}

const TICK_MS = 100;

/**
 * Watches the deadlines of all requests in progress with one timer, since a timer for each chunk of each stream would
 * cost more than relaying it. A deadline is noticed at most a tick late.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #watched = new Set<Deadline>();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The monotonic time of the last tick: precise enough to set a deadline by, and free. */
  #nowMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#nowMs = clock.monotonicMs();
  }

  nowMs(): number {
    return this.#watched.size === 0 ? this.#clock.monotonicMs() : this.#nowMs;
  }

  watch(deadline: Deadline): void {
    if (this.#watched.size === 0) this.#nowMs = this.#clock.monotonicMs();
    this.#watched.add(deadline);
    this.#timer ??= setInterval(() => this.tick(), TICK_MS);
  }

  forget(deadline: Deadline): void {
    this.#watched.delete(deadline);
  }

  /** Gives everything up that is watched, for another reason than time. */
  interrupt(reason: GatewayError): void {
    for (const deadline of [...this.#watched]) {
      this.#watched.delete(deadline);
      deadline.expire(reason);
    }
  }

  /** Called by the timer; tests with a clock of their own call it themselves. */
  tick(): void {
    this.#nowMs = this.#clock.monotonicMs();
    for (const deadline of this.#watched) {
      if (deadline.atMs > this.#nowMs) continue;
      this.#watched.delete(deadline);
      deadline.expire();
    }
    if (this.#watched.size > 0 || this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
