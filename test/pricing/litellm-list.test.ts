import { expect, test } from "bun:test";
import fc from "fast-check";
import { readLiteLlmList } from "../../src/pricing/litellm-list.ts";

/** Reads models given as JSON text, since what is tested is how numbers are written. */
function read(...models: readonly string[]) {
  const result = readLiteLlmList(`{${models.join(",")}}`, "2026-11-22");
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function chat(fields: string): string {
  return `"m": {"litellm_provider": "openai", "mode": "chat", ${fields}}`;
}

function reasonOf(...models: readonly string[]): string | undefined {
  const { prices, skipped } = read(...models);
  expect(prices).toEqual([]);
  return skipped[0]?.reason;
}

test("costs per token become exact prices per million", () => {
  const { prices, source, skipped } = read(
    `"sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of"}`,
    `"gpt-4o": {"input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "litellm_provider": "openai",
      "cache_read_input_token_cost": 1.25e-06, "mode": "chat", "max_tokens": 16384, "input_cost_per_token_batches": 9}`,
    `"groq/llama-3.1-8b-instant": {"litellm_provider": "groq", "input_cost_per_token": 5e-08, "output_cost_per_token": "8e-8"}`,
    `"xai/grok-3": {"litellm_provider": "xai", "input_cost_per_token": 3e-06, "output_cost_per_token": 0.000015}`,
    `"text-embedding-3-small": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-8}`,
  );
  expect(skipped).toEqual([]);
  expect(source).toBe("litellm 2026-11-22");
  expect(prices).toEqual([
    {
      provider: "openai",
      model: "gpt-4o",
      rates: { perRequest: 0n, input: 2_500_000_000n, output: 10_000_000_000n, cacheRead: 1_250_000_000n },
    },
    {
      provider: "groq",
      model: "llama-3.1-8b-instant",
      rates: { perRequest: 0n, input: 50_000_000n, output: 80_000_000n },
    },
    {
      provider: "x-ai",
      model: "grok-3",
      rates: { perRequest: 0n, input: 3_000_000_000n, output: 15_000_000_000n },
    },
    {
      provider: "openai",
      model: "text-embedding-3-small",
      rates: { perRequest: 0n, input: 20_000_000n, output: 0n },
    },
  ]);
});

test("of several prices of one kind the highest counts", () => {
  const { prices } = read(
    chat(`"input_cost_per_token": 3e-06, "input_cost_per_token_above_200k_tokens": 6e-06,
      "output_cost_per_token_above_200k_tokens": 2.25e-05, "output_cost_per_token": 1.5e-05,
      "cache_creation_input_token_cost": 3.75e-06, "cache_creation_input_token_cost_above_1hr": 6e-06,
      "cache_creation_input_token_cost_above_200k_tokens": 7.5e-06,
      "output_cost_per_token_above_200k_tokens_priority": 1, "output_cost_per_reasoning_token": 2e-05`),
  );
  expect(prices[0]?.rates).toEqual({
    perRequest: 0n,
    input: 6_000_000_000n,
    output: 22_500_000_000n,
    cacheWrite: 7_500_000_000n,
    reasoning: 20_000_000_000n,
  });
});

const BASE = `"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6`;

const REFUSED: readonly [what: string, model: string, reason: RegExp][] = [
  ["a negative cost", chat(`"input_cost_per_token": -1e-6, "output_cost_per_token": 1e-6`), /not an amount/],
  [
    "a cost that is not a number",
    chat(`"input_cost_per_token": "NaN", "output_cost_per_token": 1e-6`),
    /not an amount/,
  ],
  ["a huge cost", chat(`"input_cost_per_token": 1e300, "output_cost_per_token": 1e-6`), /not an amount/],
  [
    "an endless exponent",
    chat(`"input_cost_per_token": 1e9999, "output_cost_per_token": 1e-6`),
    /not an amount/,
  ],
  [
    "a computed fraction",
    chat(`"input_cost_per_token": 8.333333333333334e-08, "output_cost_per_token": 1e-6`),
    /finer/,
  ],
  ["a zero price", chat(`"input_cost_per_token": 0.0, "output_cost_per_token": 0`), /zero/],
  ["no output price", chat(`"input_cost_per_token": 1e-6`), /no price for its output/],
  ["no price", chat(`"max_tokens": 1`), /no price per token/],
  ["images", chat(`${BASE}, "output_cost_per_image": 0.04`), /output_cost_per_image/],
  ["dearer speech", chat(`${BASE}, "input_cost_per_audio_token": 2e-6`), /input_cost_per_audio_token/],
  ["tiers", chat(`${BASE}, "tiered_pricing": [{"range": [0, 1], "input_cost_per_token": 1}]`), /tiers/],
  ["a field given twice", chat(`${BASE}, "input_cost_per_token": 1e-9`), /twice/],
  [
    "another kind of model",
    `"m": {"litellm_provider": "openai", "mode": "image_generation", ${BASE}}`,
    /neither/,
  ],
  ["no provider", `"m": {${BASE}}`, /no provider/],
  ["no provider's name", `"m": {"litellm_provider": "a b", ${BASE}}`, /provider's name/],
  ["no object", `"m": [1]`, /JSON object/],
  ["a name of spaces", `" ": {"litellm_provider": "openai", ${BASE}}`, /its name/],
];

for (const [what, model, reason] of REFUSED) {
  test(`${what} is skipped with its reason`, () => expect(reasonOf(model)).toMatch(reason));
}

test("speech that costs no more than text, and images for nothing, change nothing", () => {
  const { prices } = read(chat(`${BASE}, "input_cost_per_audio_token": 1e-6, "output_cost_per_image": 0.0`));
  expect(prices.length).toBe(1);
});

test("names of JavaScript's own are names like others", () => {
  const model = `{"litellm_provider": "openai", "mode": "chat", ${BASE}}`;
  const { prices } = read(`"__proto__": ${model}`, `"constructor": ${model}`, `"toString": ${model}`);
  expect(prices.map((price) => price.model)).toEqual(["__proto__", "constructor", "toString"]);
  expect(reasonOf(`"m": {"__proto__": {"litellm_provider": "openai", ${BASE}}}`)).toMatch(/no provider/);
});

test("a file that is no such list is refused as a whole", () => {
  const deep = `{"m":${"[".repeat(100)}${"]".repeat(100)}}`;
  for (const text of ["[]", "nothing", `{"a": NaN}`, deep, `{"m": {}, "m": {}}`]) {
    const result = readLiteLlmList(text, "2026-11-22");
    expect(result.ok).toBe(false);
    if (!result.ok) expect(result.error.message).toStartWith("The list cannot be read: ");
  }
});

test("nothing in the values of a model makes the reader fail", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("litellm_provider", "mode", "input_cost_per_token", "x"), fc.json()),
      (fields) => {
        const parts = Object.entries(fields).map(([name, value]) => `"${name}": ${value}`);
        const result = readLiteLlmList(`{"m": {${parts.join(",")}}}`, "2026-11-22");
        if (result.ok) expect(result.value.prices.length + result.value.skipped.length).toBe(1);
      },
    ),
  );
});
