/**
 * Tokens of one answer, in buckets that do not overlap: their sum is what was processed. A bucket that the provider did
 * not report is `undefined`: unknown, never zero. Providers count differently (OpenAI has cached input inside its input
 * count, Anthropic beside it); each protocol's `usage.ts` brings its own form into this one.
 */
export interface TokenCounts {
  /** Input that was neither read from a cache nor written to one. */
  readonly input?: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  /** Everything that was generated, reasoning included. */
  readonly output?: number;
  /** How much of `output` was reasoning. The only bucket that lies inside another. */
  readonly reasoning?: number;
}

/** Where the counts come from: the provider said so, we counted every piece, or we estimated from the text. */
export type UsageSource = "provider" | "counted" | "estimated";

/** A part of an answer that another model produced and that is charged at that model's price (Anthropic `iterations`). */
export interface SubCharge {
  readonly model: string;
  readonly tokens: TokenCounts;
}

export interface Usage {
  readonly tokens: TokenCounts;
  readonly source: UsageSource;
  /** The model that the provider says answered, where it differs from the one that was asked. */
  readonly servedModel?: string;
  readonly subCharges?: readonly SubCharge[];
}

type MaybeCounts = { [K in keyof TokenCounts]: number | undefined };

/** Builds `TokenCounts`, leaving out what is unknown or not a count. */
export function tokenCounts(parts: MaybeCounts): TokenCounts {
  const counts: { -readonly [K in keyof TokenCounts]: number } = {};
  for (const key of ["input", "cacheRead", "cacheWrite", "output", "reasoning"] as const) {
    const value = parts[key];
    if (value !== undefined) counts[key] = value;
  }
  return counts;
}

/** More tokens than any answer has: a count beyond it is a fault, and would be charged. */
const MAX_TOKENS = 1_000_000_000;

/** A whole number of tokens as a provider reported it; anything else (negative, fraction, text, absurd) is unknown. */
export function reportedCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS
    ? value
    : undefined;
}
