import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { costOf, type Price } from "../../src/core/price.ts";
import type { TokenCounts } from "../../src/core/usage.ts";

const PRICE: Price = {
  id: 1,
  model: "m",
  effectiveFromMs: 0,
  perRequestNanoUsd: 0n,
  inputNanoUsdPerMillion: 2_000_000_000n,
  outputNanoUsdPerMillion: 10_000_000_000n,
  source: "set",
};

describe("what is charged", () => {
  test.each<[string, TokenCounts, Partial<Price>, bigint]>([
    ["input and output", { input: 1_000, output: 100 }, {}, 3_000_000n],
    ["cached input as input, where it has no price", { cacheRead: 1_000, cacheWrite: 500 }, {}, 3_000_000n],
    [
      "cached input at its own price",
      { cacheRead: 1_000 },
      { cacheReadNanoUsdPerMillion: 200_000_000n },
      200_000n,
    ],
    [
      "a written cache at its own price",
      { cacheWrite: 1_000 },
      { cacheWriteNanoUsdPerMillion: 2_500_000_000n },
      2_500_000n,
    ],
    ["a cache that costs nothing", { cacheRead: 1_000 }, { cacheReadNanoUsdPerMillion: 0n }, 0n],
    ["reasoning as output, where it has no price", { output: 100, reasoning: 60 }, {}, 1_000_000n],
    [
      "reasoning at its own price, once",
      { output: 100, reasoning: 60 },
      { reasoningNanoUsdPerMillion: 1_000_000_000n },
      460_000n,
    ],
    [
      "no more reasoning than there is output",
      { output: 10, reasoning: 60 },
      { reasoningNanoUsdPerMillion: 1_000_000_000n },
      10_000n,
    ],
    ["reasoning without output: nothing", { reasoning: 60 }, {}, 0n],
    ["the request, whatever it used", {}, { perRequestNanoUsd: 7n }, 7n],
    ["nothing for what is unknown", {}, {}, 0n],
    ["half a nano-dollar as a whole one", { input: 1 }, { inputNanoUsdPerMillion: 500_000n }, 1n],
    [
      "the sum rounded up, once",
      { input: 1, output: 1 },
      { inputNanoUsdPerMillion: 400_000n, outputNanoUsdPerMillion: 400_000n },
      1n,
    ],
    ["what is whole as it is", { input: 1_000_000 }, { inputNanoUsdPerMillion: 3n }, 3n],
  ])("%s", (_, tokens, price, cost) => {
    expect(costOf(tokens, { ...PRICE, ...price })).toBe(cost);
  });
});

const tokens = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const amount = fc.bigInt({ min: 0n, max: 10n ** 18n });
const counts = fc.record(
  { input: tokens, cacheRead: tokens, cacheWrite: tokens, output: tokens },
  { requiredKeys: [] },
);
const prices = fc.record({
  perRequestNanoUsd: amount,
  inputNanoUsdPerMillion: amount,
  outputNanoUsdPerMillion: amount,
  cacheReadNanoUsdPerMillion: amount,
  cacheWriteNanoUsdPerMillion: amount,
  reasoningNanoUsdPerMillion: amount,
});

test("agrees with exact arithmetic for any counts and prices", () => {
  fc.assert(
    fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), prices, (used, part, rates) => {
      const reasoning = Math.floor((used.output ?? 0) * part);
      const price = { ...PRICE, ...rates };
      const exact = [
        [BigInt(used.input ?? 0), rates.inputNanoUsdPerMillion],
        [BigInt(used.cacheRead ?? 0), rates.cacheReadNanoUsdPerMillion],
        [BigInt(used.cacheWrite ?? 0), rates.cacheWriteNanoUsdPerMillion],
        [BigInt(used.output ?? 0) - BigInt(reasoning), rates.outputNanoUsdPerMillion],
        [BigInt(reasoning), rates.reasoningNanoUsdPerMillion],
      ] as const;
      const millionths = exact.reduce((sum, [count, rate]) => sum + count * rate, 0n);
      const charged = (costOf({ ...used, reasoning }, price) - price.perRequestNanoUsd) * 1_000_000n;
      // The smallest whole number of nano-dollars that is not less.
      expect(charged >= millionths && charged - millionths < 1_000_000n).toBe(true);
    }),
  );
});

test("using more never costs less", () => {
  fc.assert(
    fc.property(counts, counts, prices, (used, more, rates) => {
      const price = { ...PRICE, ...rates };
      const { reasoningNanoUsdPerMillion: _, ...plain } = price;
      const half = (count: number | undefined) => Math.floor((count ?? 0) / 2);
      const small = {
        input: half(used.input),
        cacheRead: half(used.cacheRead),
        cacheWrite: half(used.cacheWrite),
        output: half(used.output),
      };
      const large = {
        input: small.input + half(more.input),
        cacheRead: small.cacheRead + half(more.cacheRead),
        cacheWrite: small.cacheWrite + half(more.cacheWrite),
        output: small.output + half(more.output),
      };
      expect(costOf(large, plain) >= costOf(small, plain)).toBe(true);
    }),
  );
});
