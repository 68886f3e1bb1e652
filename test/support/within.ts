/**
 * Bounds a wait for something real, so that a test that hangs says what it waited for. Long, because test
 * machines stall for seconds; it ends as soon as the promise does.
 */
export const patienceMs = 30_000;

export async function within<T>(what: string, promise: Promise<T>, limitMs = patienceMs): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limitMs} ms in vain for ${what}`)), limitMs);
  });
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** A door that a test opens: a script waits at it, the test decides when it goes on. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: () => resolve() };
}
