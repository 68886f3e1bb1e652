import type { NanoUsd } from "./money.ts";
import type { TokenCounts } from "./usage.ts";

/** What a model costs from a moment on. All amounts are nano-USD; token prices are per million tokens. */
export interface Price {
  /** Row id: the version that a request was charged by. */
  readonly id: number;
  readonly model: string;
  /** Only for this provider; absent: for whoever serves the model. */
  readonly provider?: string;
  readonly effectiveFromMs: number;
  readonly perRequestNanoUsd: NanoUsd;
  readonly inputNanoUsdPerMillion: NanoUsd;
  readonly outputNanoUsdPerMillion: NanoUsd;
  /** Absent: cached input costs what input costs. */
  readonly cacheReadNanoUsdPerMillion?: NanoUsd;
  readonly cacheWriteNanoUsdPerMillion?: NanoUsd;
  /** Absent: reasoning costs what output costs. */
  readonly reasoningNanoUsdPerMillion?: NanoUsd;
  /** Where the figures come from: "set by <who>", or the name and date of an imported list. */
  readonly source: string;
}

const MILLION = 1_000_000n;

/**
 * The cost of an answer: the request's own price, and the sum of tokens x price, divided by a million and rounded up,
 * once. Unknown buckets count as none; whoever must not undercharge fills them by estimate first.
 */
export function costOf(tokens: TokenCounts, price: Price): NanoUsd {
  const reasoning = Math.min(tokens.reasoning ?? 0, tokens.output ?? 0);
  const visible = (tokens.output ?? 0) - reasoning;
  const sum =
    BigInt(tokens.input ?? 0) * price.inputNanoUsdPerMillion +
    BigInt(tokens.cacheRead ?? 0) * (price.cacheReadNanoUsdPerMillion ?? price.inputNanoUsdPerMillion) +
    BigInt(tokens.cacheWrite ?? 0) * (price.cacheWriteNanoUsdPerMillion ?? price.inputNanoUsdPerMillion) +
    BigInt(visible) * price.outputNanoUsdPerMillion +
    BigInt(reasoning) * (price.reasoningNanoUsdPerMillion ?? price.outputNanoUsdPerMillion);
  return price.perRequestNanoUsd + (sum + MILLION - 1n) / MILLION;
}
