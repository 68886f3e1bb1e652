import type { Clock } from "./clock.ts";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;

/** Fills a byte array with randomness from a cryptographic source. */
export type RandomBytes = (bytes: Uint8Array) => void;

export const systemRandom: RandomBytes = (bytes) => {
  crypto.getRandomValues(bytes);
};

/**
 * Makes ULIDs (https://github.com/ulid/spec): 48 bits of milliseconds and 80 of randomness, 26 characters, in the order
 * they were made. Within one millisecond the random part counts up, so ids of one process stay strictly increasing.
 */
export function createUlidSource(clock: Clock, random: RandomBytes): () => string {
  const digits = new Uint8Array(RANDOM_LENGTH);
  let lastMs = -1;
  let timePart = "";

  return () => {
    const ms = clock.now();
    if (ms > lastMs) {
      lastMs = ms;
      timePart = encodeTime(ms);
      random(digits);
      for (let i = 0; i < RANDOM_LENGTH; i++) digits[i] = (digits[i] ?? 0) & 31;
    } else if (!increment(digits)) {
      // The random part has come to its end: what follows counts as made a millisecond later.
      lastMs++;
      timePart = encodeTime(lastMs);
    }
    let id = timePart;
    for (let i = 0; i < RANDOM_LENGTH; i++) id += CROCKFORD[digits[i] ?? 0];
    return id;
  };
}

function encodeTime(ms: number): string {
  let rest = ms;
  let text = "";
  for (let i = 0; i < TIME_LENGTH; i++) {
    text = CROCKFORD[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** Counts up by one; false when that begins again at nought. */
function increment(digits: Uint8Array): boolean {
  for (let i = digits.length - 1; i >= 0; i--) {
    const digit = digits[i] ?? 0;
    if (digit < 31) {
      digits[i] = digit + 1;
      return true;
    }
    digits[i] = 0;
  }
  return false;
}
