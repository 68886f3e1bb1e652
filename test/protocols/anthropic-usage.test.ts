import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Usage } from "../../src/core/usage.ts";
import { anthropicUsage } from "../../src/protocols/anthropic-messages/usage.ts";

type Json = Readonly<Record<string, unknown>>;

interface UsageCase {
  readonly name: string;
  readonly start?: Json;
  readonly delta?: Json;
  readonly expected: Omit<Usage, "source"> | undefined;
}

const CASES: readonly UsageCase[] = [
  {
    name: "input, cache reads and cache writes lie beside each other",
    delta: {
      input_tokens: 21,
      cache_read_input_tokens: 18_000,
      cache_creation_input_tokens: 2_048,
      cache_creation: { ephemeral_5m_input_tokens: 2_000, ephemeral_1h_input_tokens: 48 },
      output_tokens: 4,
    },
    expected: { tokens: { input: 21, cacheRead: 18_000, cacheWrite: 2_048, output: 4 } },
  },
  {
    name: "thinking lies inside the output",
    delta: { input_tokens: 44, output_tokens: 160, output_tokens_details: { thinking_tokens: 143 } },
    expected: { tokens: { input: 44, output: 160, reasoning: 143 } },
  },
  {
    name: "the start is provisional: what comes later takes its place, and is not added",
    start: { input_tokens: 29, cache_read_input_tokens: 0, output_tokens: 1 },
    delta: { input_tokens: 31, output_tokens: 19 },
    expected: { tokens: { input: 31, cacheRead: 0, output: 19 } },
  },
  {
    name: "a null later on says nothing",
    start: { input_tokens: 29, cache_read_input_tokens: 7, output_tokens: 1 },
    delta: { input_tokens: null, cache_read_input_tokens: null, output_tokens: 19 },
    expected: { tokens: { input: 29, cacheRead: 7, output: 19 } },
  },
  {
    name: "zeros in the start, the truth in the delta",
    start: { input_tokens: 0, output_tokens: 0 },
    delta: { input_tokens: 135, cache_read_input_tokens: 6, output_tokens: 8 },
    expected: { tokens: { input: 135, cacheRead: 6, output: 8 } },
  },
  {
    name: "only the start",
    start: { input_tokens: 5, output_tokens: 3 },
    expected: { tokens: { input: 5, output: 3 } },
  },
  {
    name: "a compaction is charged besides, the messages are in the sum already",
    delta: {
      input_tokens: 23_000,
      output_tokens: 1_000,
      iterations: [
        { type: "compaction", model: "c", input_tokens: 180_000, output_tokens: 3_500 },
        { type: "message", input_tokens: 23_000, output_tokens: 1_000 },
      ],
    },
    expected: {
      tokens: { input: 23_000, output: 1_000 },
      subCharges: [{ model: "c", tokens: { input: 180_000, output: 3_500 } }],
    },
  },
  {
    name: "an advisor is charged besides, at its own model",
    delta: {
      input_tokens: 612,
      output_tokens: 2_819,
      iterations: [
        { type: "message", input_tokens: 300, output_tokens: 19 },
        {
          type: "advisor_message",
          model: "big",
          input_tokens: 60_385,
          cache_read_input_tokens: 7,
          output_tokens: 522,
        },
        { type: "message", input_tokens: 312, output_tokens: 2_800 },
      ],
    },
    expected: {
      tokens: { input: 612, output: 2_819 },
      subCharges: [{ model: "big", tokens: { input: 60_385, cacheRead: 7, output: 522 } }],
    },
  },
  {
    name: "after a fallback the answer is the fallback's, and the refused attempt costs nothing",
    delta: {
      input_tokens: 412,
      output_tokens: 264,
      iterations: [
        { type: "message", model: "refused", input_tokens: 400, output_tokens: 4 },
        { type: "fallback_message", model: "served", input_tokens: 412, output_tokens: 264 },
      ],
    },
    expected: { tokens: { input: 412, output: 264 }, servedModel: "served" },
  },
  {
    name: "iterations of no known form teach nothing",
    delta: {
      input_tokens: 1,
      output_tokens: 2,
      iterations: [null, 7, { type: "new" }, { type: "fallback_message" }],
    },
    expected: { tokens: { input: 1, output: 2 } },
  },
  { name: "nothing", expected: undefined },
  { name: "no counts", delta: { service_tier: "standard" }, expected: undefined },
  { name: "counts that are none", delta: { input_tokens: -1, output_tokens: "2" }, expected: undefined },
];

describe("a usage of Anthropic's form", () => {
  for (const { name, start, delta, expected } of CASES) {
    test(name, () => {
      expect<unknown>(anthropicUsage(start, delta)).toEqual(
        expected === undefined ? undefined : { source: "provider", ...expected },
      );
    });
  }

  const count = fc.oneof(fc.nat(99_999), fc.integer(), fc.constant(null), fc.string());
  const usage = fc.record(
    {
      input_tokens: count,
      cache_read_input_tokens: count,
      cache_creation_input_tokens: count,
      output_tokens: count,
      output_tokens_details: fc.oneof(fc.constant(null), fc.record({ thinking_tokens: count })),
      iterations: fc.array(
        fc.record({ type: fc.constantFrom("message", "compaction", "advisor_message"), input_tokens: count }),
      ),
    },
    { requiredKeys: [] },
  );
  test("has no negative bucket, and reasoning is never more than the output it lies in", () => {
    fc.assert(
      fc.property(usage, usage, (start, delta) => {
        const { tokens = {}, subCharges = [] } = anthropicUsage(start, delta) ?? {};
        for (const one of [tokens, ...subCharges.map((part) => part.tokens)]) {
          for (const value of Object.values(one)) expect(Number.isInteger(value) && value >= 0).toBe(true);
        }
        if (tokens.output !== undefined) expect(tokens.reasoning ?? 0).toBeLessThanOrEqual(tokens.output);
      }),
      { numRuns: 1_000 },
    );
  });

  test("is the same whether it comes at once or in two events", () => {
    fc.assert(
      fc.property(usage, (whole) => {
        expect(
          anthropicUsage(
            { input_tokens: 1, output_tokens: 1 },
            { ...whole, input_tokens: 5, output_tokens: 6 },
          )?.tokens,
        ).toEqual(anthropicUsage(undefined, { ...whole, input_tokens: 5, output_tokens: 6 })?.tokens);
      }),
    );
  });
});
