import { expect, test } from "bun:test";
import { planImport } from "../../src/pricing/import.ts";
import type { ListedPrice } from "../../src/pricing/listed-price.ts";
import { priceKey } from "../../src/pricing/price-book.ts";

const NOW = 1000;
const OPTIONS = { nowMs: NOW, replaceManual: false };

function listed(input: bigint, effectiveFromMs?: number): ListedPrice {
  const dated = effectiveFromMs === undefined ? {} : { effectiveFromMs };
  return { provider: "p", model: "m", ...dated, rates: { perRequest: 0n, input, output: 0n } };
}

function stored(...prices: readonly { input: bigint; atMs: number; source?: string }[]) {
  const rows = prices.map(({ input, atMs, source }, index) => ({
    id: index + 1,
    model: "m",
    provider: "p",
    effectiveFromMs: atMs,
    perRequestNanoUsd: 0n,
    inputNanoUsdPerMillion: input,
    outputNanoUsdPerMillion: 0n,
    source: source ?? "list 2026-01-01",
  }));
  rows.sort((a, b) => b.effectiveFromMs - a.effectiveFromMs || b.id - a.id);
  return new Map([[priceKey("m", "p"), rows]]);
}

/** What is added, as [from, input]. */
function plan(prices: readonly ListedPrice[], known = stored(), options = OPTIONS) {
  const { rows, unchanged, skipped } = planImport(prices, known, options);
  return {
    rows: rows.map((row) => [row.effectiveFromMs, row.rates.input]),
    unchanged,
    skipped: skipped.map((each) => each.reason),
  };
}

test("a new price holds from now, not from the day that the list gives", () => {
  expect(plan([listed(5n, 3)]).rows).toEqual([[NOW, 5n]]);
});

test("of several days the last that has come counts, and those to come are kept", () => {
  const prices = [listed(3n, 3000), listed(2n, 500), listed(1n), listed(4n, 2000)];
  expect(plan(prices).rows).toEqual([
    [NOW, 2n],
    [2000, 4n],
    [3000, 3n],
  ]);
});

test("a price that is in force is left alone", () => {
  expect(plan([listed(5n)], stored({ input: 5n, atMs: 10 }))).toEqual({
    rows: [],
    unchanged: 1,
    skipped: [],
  });
  expect(plan([listed(6n)], stored({ input: 5n, atMs: 10 })).rows).toEqual([[NOW, 6n]]);
  // What was in force once, and is no longer, is not in force.
  const changed = stored({ input: 6n, atMs: 10 }, { input: 5n, atMs: 20 });
  expect(plan([listed(6n)], changed).rows).toEqual([[NOW, 6n]]);
});

test("a coming price that is known is left alone, and begins by itself", () => {
  const prices = [listed(1n), listed(2n, 2000)];
  const known = stored({ input: 1n, atMs: 500 }, { input: 2n, atMs: 2000 });
  expect(plan(prices, known)).toEqual({ rows: [], unchanged: 2, skipped: [] });
  expect(plan(prices, known, { ...OPTIONS, nowMs: 2500 })).toEqual({ rows: [], unchanged: 1, skipped: [] });
});

test("a price set by hand wins, unless it is to be replaced", () => {
  const known = stored({ input: 5n, atMs: 10, source: "set" });
  expect(plan([listed(6n)], known)).toEqual({
    rows: [],
    unchanged: 0,
    skipped: ["its price was set by hand"],
  });
  expect(plan([listed(6n)], known, { ...OPTIONS, replaceManual: true }).rows).toEqual([[NOW, 6n]]);
  // Also on a later day.
  expect(plan([listed(5n), listed(7n, 2000)], known)).toEqual({
    rows: [],
    unchanged: 1,
    skipped: ["its price was set by hand"],
  });
});

test("a price that was set by hand, and replaced since, is a list's", () => {
  const known = stored({ input: 5n, atMs: 10, source: "set" }, { input: 6n, atMs: 20 });
  expect(plan([listed(7n)], known).rows).toEqual([[NOW, 7n]]);
});

test("a model that is listed twice has to have one price", () => {
  expect(plan([listed(1n), listed(1n)]).rows).toEqual([[NOW, 1n]]);
  expect(plan([listed(1n), listed(2n)])).toEqual({
    rows: [],
    unchanged: 0,
    skipped: ["it is listed more than once, with different prices"],
  });
});

test("the same model of two providers has two prices", () => {
  const { rows } = planImport([listed(1n), { ...listed(2n), provider: "q" }], new Map(), OPTIONS);
  expect(rows.map((row) => row.provider)).toEqual(["p", "q"]);
});
