// Medians and spreads over rounds, and ratios of rounds that lay side by side.

export type Spread = { median: number; min: number; max: number };

export function spread(values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The values of one subject over those of another, round by round. */
export function ratios(values: number[], baseline: number[]): number[] {
  return values.map((value, round) => value / (baseline[round] ?? Number.NaN));
}

/** The slope of a line through the points, least squares. */
export function slope(points: { x: number; y: number }[]): number {
  const meanX = points.reduce((sum, p) => sum + p.x, 0) / points.length;
  const meanY = points.reduce((sum, p) => sum + p.y, 0) / points.length;
  const over = points.reduce((sum, p) => sum + (p.x - meanX) * (p.y - meanY), 0);
  const under = points.reduce((sum, p) => sum + (p.x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}
