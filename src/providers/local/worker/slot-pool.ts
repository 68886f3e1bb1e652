/** One of a pool's slots, held until `release`. */
export interface Slot<T> {
  readonly value: T;
  /** Gives the slot to the next in line. Calling it again does nothing. */
  release(): void;
}

interface Waiter<T> {
  give(value: T): void;
}

/**
 * A fixed number of slots, handed out first come, first served.
 * Who waits can leave at any time and then takes no slot. The line's length is bounded by its owner.
 */
export class SlotPool<T> {
  readonly #free: T[];
  readonly #waiters = new Set<Waiter<T>>();
  readonly size: number;

  constructor(values: readonly T[]) {
    this.#free = [...values];
    this.size = values.length;
  }

  get active(): number {
    return this.size - this.#free.length;
  }

  get queued(): number {
    return this.#waiters.size;
  }

  /** The next free slot. Rejects with the signal's reason if it aborts first. */
  async acquire(signal: AbortSignal): Promise<Slot<T>> {
    signal.throwIfAborted();
    const value = this.#free.pop();
    if (value !== undefined) return this.#slot(value);
    return await new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter<T> = {
        give: (given) => {
          signal.removeEventListener("abort", leave);
          resolve(this.#slot(given));
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  #slot(value: T): Slot<T> {
    let held = true;
    return {
      value,
      release: () => {
        if (!held) return;
        held = false;
        this.#put(value);
      },
    };
  }

  #put(value: T): void {
    const [next] = this.#waiters;
    if (next === undefined) {
      this.#free.push(value);
      return;
    }
    this.#waiters.delete(next);
    next.give(value);
  }
}
