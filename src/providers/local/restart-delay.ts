/** How long to wait before starting a crashed process again. */
export interface RestartDelayOptions {
  readonly firstMs: number;
  readonly longestMs: number;
}

export const defaultRestartDelay: RestartDelayOptions = { firstMs: 250, longestMs: 30_000 };

/**
 * The wait after the given number of crashes in a row (from 1): the first wait, doubled with each further crash,
 * up to the longest. 0 for no crash.
 */
export function restartDelayMs(
  crashesInARow: number,
  options: RestartDelayOptions = defaultRestartDelay,
): number {
  if (crashesInARow <= 0) return 0;
  return Math.min(options.longestMs, options.firstMs * 2 ** (crashesInARow - 1));
}
