import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { planImport } from "../../src/pricing/import.ts";
import { priceKey } from "../../src/pricing/price-book.ts";
import { readBuiltinList } from "../../src/pricing/store-import.ts";
import { generatePrices, PRICES_FILE, pricesFile } from "../../tools/prices.ts";

const committed = readFileSync(new URL(`../../${PRICES_FILE}`, import.meta.url), "utf8");
const date: string = JSON.parse(committed).generatedAt;
const NOW = Date.UTC(2026, 10, 22);

/** The price of today by `priceKey`. */
async function today() {
  const { prices } = await readBuiltinList();
  const { rows } = planImport(prices, new Map(), { nowMs: NOW, replaceManual: false });
  const current = rows.filter((row) => row.effectiveFromMs === NOW);
  return new Map(current.map((row) => [priceKey(row.model, row.provider), row.rates]));
}

test("the file is what the package gives", () => {
  expect(pricesFile(generatePrices(date).list)).toBe(committed);
});

test("nothing in it is refused, and no name has two prices", async () => {
  const { prices, skipped } = await readBuiltinList();
  expect(skipped).toEqual([]);
  expect(planImport(prices, new Map(), { nowMs: NOW, replaceManual: false }).skipped).toEqual([]);
});

describe("well-known models", () => {
  const KNOWN: readonly [provider: string, model: string, input: bigint, output: bigint][] = [
    ["openai", "gpt-4o", 2_500_000_000n, 10_000_000_000n],
    ["openai", "gpt-4o-2024-08-06", 2_500_000_000n, 10_000_000_000n],
    ["openai", "gpt-4o-2024-05-13", 5_000_000_000n, 15_000_000_000n],
    ["openai", "gpt-4o-mini", 150_000_000n, 600_000_000n],
    ["openai", "gpt-5", 1_250_000_000n, 10_000_000_000n],
    ["openai", "gpt-5-mini", 250_000_000n, 2_000_000_000n],
    ["openai", "gpt-5-nano", 50_000_000n, 400_000_000n],
    ["openai", "o3", 2_000_000_000n, 8_000_000_000n],
    ["openai", "text-embedding-3-small", 20_000_000n, 0n],
    ["anthropic", "claude-haiku-4-5", 1_000_000_000n, 5_000_000_000n],
    ["anthropic", "claude-haiku-4-5-*", 1_000_000_000n, 5_000_000_000n],
    // The price above 200,000 tokens, since there is but one.
    ["anthropic", "claude-sonnet-4-5-*", 6_000_000_000n, 22_500_000_000n],
    ["anthropic", "claude-sonnet-4-6", 3_000_000_000n, 15_000_000_000n],
    // By day; at night it is half.
    ["deepseek", "deepseek-chat", 270_000_000n, 1_100_000_000n],
  ];
  for (const [provider, model, input, output] of KNOWN) {
    test(`${provider}/${model}`, async () => {
      expect((await today()).get(priceKey(model, provider))).toMatchObject({ input, output });
    });
  }
});

test("a price for each request is taken", async () => {
  expect((await today()).get(priceKey("sonar", "perplexity"))?.perRequest).toBe(12_000_000n);
});

test("a change that is announced comes on its day", async () => {
  const { prices } = await readBuiltinList();
  const nowMs = Date.UTC(2025, 5, 9);
  const { rows } = planImport(prices, new Map(), { nowMs, replaceManual: false });
  const steps = rows.filter((row) => row.provider === "openai" && row.model === "o3");
  expect(steps.map((row) => [row.effectiveFromMs, row.rates.input])).toEqual([
    [nowMs, 10_000_000_000n],
    [Date.UTC(2025, 5, 10), 2_000_000_000n],
  ]);
});

test("what a price cannot express is left out, with its reason", () => {
  const { leftOut } = generatePrices(date);
  const reasons = new Map(leftOut.map(({ provider, model, reason }) => [`${provider}/${model}`, reason]));
  expect(reasons.get("openai/whisper-1")).toMatch(/audio_hours/);
  expect(reasons.get("openai/gpt-image-1")).toMatch(/images/);
  expect(reasons.get("openai/gpt-4o-audio-preview")).toMatch(/speech/);
  expect(reasons.get("google/gemini-2.5-flash")).toMatch(/audio/);
});

test("a row of snapshots stands beside the row of its model, and both have one price", async () => {
  const prices = await today();
  for (const [key, rates] of prices) {
    if (key.endsWith("-*")) expect(prices.get(key.slice(0, -2))).toEqual(rates);
  }
});
