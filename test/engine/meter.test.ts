import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Price } from "../../src/core/price.ts";
import type { TokenCounts, Usage } from "../../src/core/usage.ts";
import { costsOf, priceUsage, usageOf } from "../../src/engine/meter.ts";
import type { AnswerFacts, InferenceRequest, PriceBook, Provider, Target } from "../../src/engine/ports.ts";

function target(options: { tokenPerPiece?: boolean; paid?: boolean } = {}): Target {
  const provider: Provider = {
    name: "p",
    paid: options.paid ?? true,
    tokenPerPiece: options.tokenPerPiece ?? false,
    timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
    speaks: () => true,
    lacks: () => undefined,
    nameInBody: (model) => model,
    listModels: async () => [],
    send: () => Promise.reject(new Error("not called")),
    readError: () => ({ kind: "internal", message: "" }),
  };
  return { provider, model: "m" };
}

function request(promptBytes: number): InferenceRequest {
  const none = () => {
    throw new Error("not called");
  };
  return {
    protocol: "openai-chat",
    model: "m",
    stream: true,
    receivedBytes: promptBytes,
    promptBytes: () => promptBytes,
    forgetBody() {},
    bodyFor: none,
    readAnswer: none,
  };
}

const reported = (tokens: TokenCounts): Usage => ({ source: "provider", tokens });

interface MeterCase {
  readonly name: string;
  readonly facts: Partial<AnswerFacts>;
  readonly tokenPerPiece?: boolean;
  readonly expected: Usage;
}

const CASES: readonly MeterCase[] = [
  {
    name: "a complete answer: the provider's own counts, unknown buckets left out",
    facts: { complete: true, usage: reported({ input: 5, output: 7 }), textBytes: 400, textPieces: 90 },
    expected: reported({ input: 5, output: 7 }),
  },
  {
    name: "nothing in and nothing out, and no text: a model was only loaded",
    facts: { complete: true, usage: reported({ input: 0, output: 0 }) },
    expected: reported({ input: 0, output: 0 }),
  },
  {
    name: "nothing in and nothing out beside text: nobody counted",
    facts: { complete: true, usage: reported({ input: 0, output: 0 }), textBytes: 8, textPieces: 1 },
    expected: { source: "estimated", tokens: { input: 25, output: 2 } },
  },
  {
    name: "a complete answer without counts: four bytes a token, both ways",
    facts: { complete: true, usage: undefined, textBytes: 41, textPieces: 3 },
    expected: { source: "estimated", tokens: { input: 25, output: 11 } },
  },
  {
    name: "more pieces than four bytes each: a piece is a token at least",
    facts: { complete: true, usage: undefined, textBytes: 9, textPieces: 9 },
    expected: { source: "estimated", tokens: { input: 25, output: 9 } },
  },
  {
    name: "a stream that was cut: what was delivered, with the input that the provider had counted",
    facts: {
      complete: false,
      usage: reported({ input: 29, cacheRead: 7, cacheWrite: 3, output: 1 }),
      textBytes: 40,
      textPieces: 2,
    },
    expected: { source: "estimated", tokens: { input: 29, cacheRead: 7, cacheWrite: 3, output: 10 } },
  },
  {
    name: "a stream that was cut after more had been reported than delivered (hidden reasoning)",
    facts: {
      complete: false,
      usage: reported({ input: 29, output: 500, reasoning: 480 }),
      textBytes: 4,
      textPieces: 1,
    },
    expected: { source: "estimated", tokens: { input: 29, output: 500, reasoning: 480 } },
  },
  {
    name: "a stream that was cut before anything came: the input was read all the same",
    facts: { complete: false, usage: undefined },
    expected: { source: "estimated", tokens: { input: 25, output: 0 } },
  },
  {
    name: "a model that gives a token a piece: the pieces are counted",
    facts: { complete: false, usage: reported({ input: 6 }), textBytes: 400, textPieces: 7 },
    tokenPerPiece: true,
    expected: { source: "counted", tokens: { input: 6, output: 7 } },
  },
  {
    name: "such a model that has not said what it read: the pieces are counted, the input is estimated",
    facts: { complete: false, usage: undefined, textBytes: 400, textPieces: 7 },
    tokenPerPiece: true,
    expected: { source: "estimated", tokens: { input: 25, output: 7 } },
  },
];

describe("what an answer used", () => {
  for (const { name, facts, tokenPerPiece = false, expected } of CASES) {
    test(name, () => {
      const whole: AnswerFacts = { usage: undefined, complete: false, textBytes: 0, textPieces: 0, ...facts };
      expect(usageOf(request(100), target({ tokenPerPiece }), whole)).toEqual(expected);
    });
  }

  test("keeps what is charged besides, also when the stream was cut", () => {
    const subCharges = [{ model: "c", tokens: { input: 9 } }];
    const usage: Usage = { ...reported({ input: 1 }), subCharges, servedModel: "s" };
    const facts: AnswerFacts = { usage, complete: false, textBytes: 4, textPieces: 1 };
    expect(usageOf(request(0), target(), facts)).toMatchObject({
      subCharges,
      servedModel: "s",
      source: "estimated",
    });
  });

  test("is never negative, and never less than was seen", () => {
    const count = fc.option(fc.nat(10_000), { nil: undefined });
    const facts = fc.record({
      complete: fc.boolean(),
      textPieces: fc.nat(500),
      textBytes: fc.nat(5_000),
      input: count,
      output: count,
    });
    fc.assert(
      fc.property(facts, fc.nat(10_000), fc.boolean(), ({ input, output, ...seen }, bytes, tokenPerPiece) => {
        const tokens = {
          ...(input === undefined ? {} : { input }),
          ...(output === undefined ? {} : { output }),
        };
        const used = usageOf(request(bytes), target({ tokenPerPiece }), { ...seen, usage: reported(tokens) });
        for (const value of Object.values(used.tokens)) expect(value).toBeGreaterThanOrEqual(0);
        if (used.source !== "provider") expect(used.tokens.output).toBeGreaterThanOrEqual(seen.textPieces);
      }),
    );
  });
});

const PER_MILLION = 1_000_000n;
function price(model: string, factor: bigint, perRequest = 0n): Price {
  return {
    id: Number(factor),
    model,
    effectiveFromMs: 0,
    perRequestNanoUsd: perRequest,
    inputNanoUsdPerMillion: factor * PER_MILLION,
    outputNanoUsdPerMillion: 10n * factor * PER_MILLION,
    source: "test",
  };
}

describe("what a usage costs", () => {
  const prices = new Map([
    ["served", price("served", 5n, 1_000n)],
    ["advisor", price("advisor", 100n, 1_000n)],
  ]);
  const own = price("own", 2n, 7n);
  const cases: readonly (readonly [string, Usage, bigint])[] = [
    ["its own price, and the request's once", reported({ input: 3, output: 4 }), 3n * 2n + 4n * 20n + 7n],
    [
      "a part at its own model's price, without a second price for the request",
      { ...reported({ input: 3 }), subCharges: [{ model: "advisor", tokens: { input: 1, output: 1 } }] },
      6n + 7n + 100n + 1_000n,
    ],
    [
      "a part of an unknown model at the request's price",
      { ...reported({ input: 3 }), subCharges: [{ model: "", tokens: { input: 1 } }] },
      6n + 7n + 2n,
    ],
    [
      "the model that served in the place of another",
      { ...reported({ input: 3 }), servedModel: "served" },
      15n + 1_000n,
    ],
    [
      "the model asked for, where the one that served has no price",
      { ...reported({ input: 3 }), servedModel: "x" },
      6n + 7n,
    ],
    ["nothing used: the request's own price", reported({}), 7n],
  ];
  for (const [name, usage, cost] of cases) {
    test(name, () => {
      expect(priceUsage(usage, own, (model) => prices.get(model))).toBe(cost);
    });
  }

  test("no price, no cost", () => {
    expect(priceUsage(reported({ input: 3, output: 4 }), undefined, () => undefined)).toBe(0n);
  });

  test("a flat price holds for a paid provider without a price, and for no other", () => {
    const book: PriceBook = {
      unpriced: { kind: "flat", costNanoUsd: 500n },
      chargeFor: () => ({ charged: undefined, cost: undefined }),
    };
    const charged = (paid: boolean, own: Price | undefined) =>
      costsOf(book, { charged: own, cost: undefined }, target({ paid }), reported({ input: 3 }), 0);
    expect(charged(true, undefined)).toEqual({ chargedNanoUsd: 500n, costNanoUsd: 0n });
    expect(charged(false, undefined)).toEqual({ chargedNanoUsd: 0n, costNanoUsd: 0n });
    expect(charged(true, own)).toEqual({ chargedNanoUsd: 13n, costNanoUsd: 0n });
  });
});
