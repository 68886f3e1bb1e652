import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { TokenCounts } from "../../src/core/usage.ts";
import { openAiUsage } from "../../src/protocols/openai/usage.ts";

interface UsageCase {
  readonly name: string;
  readonly usage: unknown;
  readonly tokens: TokenCounts | undefined;
}

const CASES: readonly UsageCase[] = [
  {
    name: "OpenAI: cached input lies inside the input, reasoning inside the output",
    usage: {
      prompt_tokens: 2006,
      completion_tokens: 300,
      total_tokens: 2306,
      prompt_tokens_details: { cached_tokens: 1920, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 192, rejected_prediction_tokens: 10 },
    },
    tokens: { input: 86, cacheRead: 1920, output: 300, reasoning: 192 },
  },
  {
    name: "OpenAI: what was written to the cache lies inside the input too",
    usage: {
      prompt_tokens: 3000,
      completion_tokens: 2,
      total_tokens: 3002,
      prompt_tokens_details: { cached_tokens: 1024, cache_write_tokens: 1900 },
    },
    tokens: { input: 76, cacheRead: 1024, cacheWrite: 1900, output: 2 },
  },
  {
    name: "xAI: reasoning lies outside the output, which the total tells",
    usage: {
      prompt_tokens: 291,
      completion_tokens: 26,
      total_tokens: 513,
      prompt_tokens_details: { cached_tokens: 290 },
      completion_tokens_details: { reasoning_tokens: 196 },
    },
    tokens: { input: 1, cacheRead: 290, output: 222, reasoning: 196 },
  },
  {
    name: "xAI where reasoning is inside: the total tells that as well",
    usage: {
      prompt_tokens: 10,
      completion_tokens: 222,
      total_tokens: 232,
      completion_tokens_details: { reasoning_tokens: 196 },
    },
    tokens: { input: 10, output: 222, reasoning: 196 },
  },
  {
    // Regression: 26 were charged.
    name: "xAI without a total: more reasoning than output cannot lie inside it",
    usage: {
      prompt_tokens: 291,
      completion_tokens: 26,
      completion_tokens_details: { reasoning_tokens: 196 },
    },
    tokens: { input: 291, output: 222, reasoning: 196 },
  },
  {
    name: "DeepSeek: hits and misses",
    usage: {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_cache_hit_tokens: 64,
      prompt_cache_miss_tokens: 36,
      prompt_tokens_details: { cached_tokens: 64 },
      completion_tokens_details: { reasoning_tokens: 20 },
    },
    tokens: { input: 36, cacheRead: 64, output: 50, reasoning: 20 },
  },
  {
    name: "DeepSeek without the details",
    usage: {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_cache_hit_tokens: 64,
      prompt_cache_miss_tokens: 36,
    },
    tokens: { input: 36, cacheRead: 64, output: 50 },
  },
  {
    name: "Groq: no split, times beside the counts",
    usage: {
      queue_time: 0.1,
      prompt_tokens: 218,
      prompt_time: 0.01,
      completion_tokens: 20,
      total_tokens: 238,
    },
    tokens: { input: 218, output: 20 },
  },
  {
    name: "Mistral: cached input inside",
    usage: {
      prompt_tokens: 124,
      completion_tokens: 22,
      total_tokens: 146,
      num_cached_tokens: 64,
      prompt_tokens_details: { cached_tokens: 64 },
    },
    tokens: { input: 60, cacheRead: 64, output: 22 },
  },
  {
    name: "embeddings: no output",
    usage: { prompt_tokens: 7, total_tokens: 7 },
    tokens: { input: 7 },
  },
  {
    name: "no total: what is said stands",
    usage: { prompt_tokens: 7, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 2 } },
    tokens: { input: 7, output: 3, reasoning: 2 },
  },
  {
    name: "details that are null",
    usage: {
      prompt_tokens: 7,
      completion_tokens: 3,
      total_tokens: 10,
      prompt_tokens_details: null,
      completion_tokens_details: null,
    },
    tokens: { input: 7, output: 3 },
  },
  {
    name: "zeros are counts",
    usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    tokens: { input: 0, output: 0 },
  },
  {
    name: "more cached than there was is no negative input",
    usage: {
      prompt_tokens: 5,
      completion_tokens: 1,
      total_tokens: 6,
      prompt_tokens_details: { cached_tokens: 9 },
    },
    tokens: { input: 0, cacheRead: 9, output: 1 },
  },
  { name: "nothing", usage: undefined, tokens: undefined },
  { name: "null", usage: null, tokens: undefined },
  { name: "no counts", usage: { total_tokens: 7 }, tokens: undefined },
  { name: "counts that are none", usage: { prompt_tokens: "7", completion_tokens: -1 }, tokens: undefined },
  { name: "fractions", usage: { prompt_tokens: 1.5, completion_tokens: 2 }, tokens: { output: 2 } },
];

describe("a usage of OpenAI's form", () => {
  for (const { name, usage, tokens } of CASES) {
    test(name, () => {
      const expected = tokens === undefined ? undefined : { source: "provider" as const, tokens };
      expect<unknown>(openAiUsage(usage)).toEqual(expected);
    });
  }

  const count = fc.option(fc.oneof(fc.nat(5_000), fc.integer(), fc.double(), fc.string()), {
    nil: undefined,
  });
  const details = (name: string) =>
    fc.option(fc.record({ [name]: count, cache_write_tokens: count }), { nil: undefined });
  const anything = fc.record({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_cache_hit_tokens: count,
    prompt_tokens_details: details("cached_tokens"),
    completion_tokens_details: details("reasoning_tokens"),
  });

  test("has no negative bucket, and reasoning is never more than the output it lies in", () => {
    fc.assert(
      fc.property(anything, (usage) => {
        const tokens = openAiUsage(usage)?.tokens ?? {};
        for (const value of Object.values(tokens)) expect(Number.isInteger(value) && value >= 0).toBe(true);
        if (tokens.output !== undefined) expect(tokens.reasoning ?? 0).toBeLessThanOrEqual(tokens.output);
      }),
      { numRuns: 2_000 },
    );
  });

  test("has buckets that do not overlap: together they are the total that the provider states", () => {
    const consistent = fc
      .record({
        input: fc.nat(9_999),
        read: fc.nat(9_999),
        write: fc.nat(9_999),
        visible: fc.nat(9_999),
        reasoning: fc.nat(9_999),
        outside: fc.boolean(),
      })
      .map((made) => ({
        made,
        usage: {
          prompt_tokens: made.input + made.read + made.write,
          completion_tokens: made.visible + (made.outside ? 0 : made.reasoning),
          total_tokens: made.input + made.read + made.write + made.visible + made.reasoning,
          prompt_tokens_details: { cached_tokens: made.read, cache_write_tokens: made.write },
          completion_tokens_details: { reasoning_tokens: made.reasoning },
        },
      }));
    fc.assert(
      fc.property(consistent, ({ made, usage }) => {
        expect(openAiUsage(usage)?.tokens).toEqual({
          input: made.input,
          cacheRead: made.read,
          cacheWrite: made.write,
          output: made.visible + made.reasoning,
          reasoning: made.reasoning,
        });
      }),
    );
  });
});
