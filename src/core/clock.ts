/** Where time comes from. Injected everywhere, so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970 in UTC; never smaller than an earlier answer. */
  now(): number;
  /** Milliseconds since an arbitrary start, not changed by anyone who sets the clock. */
  monotonicMs(): number;
}

export function systemClock(): Clock {
  let last = 0;
  return {
    now() {
      last = Math.max(last, Date.now());
      return last;
    },
    monotonicMs: () => performance.now(),
  };
}
