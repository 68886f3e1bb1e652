import { expect, test } from "bun:test";
import { MemoryPriceBook } from "../../src/pricing/price-book.ts";
import { snapshotBase } from "../../src/pricing/snapshots.ts";
import { addPrice, temporaryDatabase } from "./support.ts";

type Added = Parameters<typeof addPrice>[1];

/** The input price of a model of `p` at the moment 10, by these rows. */
async function inputPriceOf(model: string, rows: readonly Added[]): Promise<bigint | undefined> {
  await using database = await temporaryDatabase();
  for (const row of rows) await addPrice(database.db, row);
  const book = new MemoryPriceBook(() => ({ kind: "refuse" }));
  await book.reload(database.db);
  return book.chargeFor(model, "p", model, 10).cost?.inputNanoUsdPerMillion;
}

const SNAPSHOT_NAMES: readonly [name: string, base: string | undefined][] = [
  ["gpt-4o-2024-08-06", "gpt-4o"],
  ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5"],
  ["claude-sonnet-4-5@20250929", "claude-sonnet-4-5"],
  ["claude-3-5-haiku-latest", "claude-3-5-haiku"],
  ["claude-3-5-haiku@latest", "claude-3-5-haiku"],
  ["gpt-4o-mini", undefined],
  ["gpt-4o-fast-2024", undefined],
  ["gpt-4o-2024-0806", undefined],
  ["gpt-4o-2024-13-01", undefined],
  ["gpt-4o-2024-08-32", undefined],
  ["gpt-4-0613", undefined],
  ["gpt-4o-2024-08-06-preview", undefined],
  ["gpt-4o-2024-08-06-mini", undefined],
  ["gpt-4o-latest\n", undefined],
  ["-latest", undefined],
  ["latest", undefined],
  ["llama3:latest", undefined],
];

for (const [name, base] of SNAPSHOT_NAMES) {
  test(`${JSON.stringify(name)} is ${base === undefined ? "no snapshot" : `a snapshot of ${base}`}`, () => {
    expect(snapshotBase(name)).toBe(base);
  });
}

test("a snapshot without a price of its own costs what the row of snapshots says", async () => {
  const rows = [{ provider: "p", model: "m-*", input: 7n }];
  expect(await inputPriceOf("m-2025-01-31", rows)).toBe(7n);
  expect(await inputPriceOf("m-20250131", rows)).toBe(7n);
});

test("no other name is covered by the row of snapshots", async () => {
  const rows = [{ provider: "p", model: "m-*", input: 7n }];
  for (const name of ["m", "m-mini", "m-2025-01-31-mini", "m-pro-20250131", "n-20250131", "M-20250131"]) {
    expect(await inputPriceOf(name, rows)).toBeUndefined();
  }
});

test("without a row of snapshots the price of a model says nothing about its snapshots", async () => {
  expect(await inputPriceOf("m-20250131", [{ provider: "p", model: "m", input: 7n }])).toBeUndefined();
});

test("the exact name comes first, then what the model itself costs, then the row of snapshots", async () => {
  const snapshots = { provider: "p", model: "m-*", input: 1n, source: "list" };
  const model = { provider: "p", model: "m", input: 2n };
  const exact = { provider: "p", model: "m-20250131", input: 3n };
  expect(await inputPriceOf("m-20250131", [snapshots, model, exact])).toBe(3n);
  expect(await inputPriceOf("m-20250131", [snapshots, model])).toBe(2n);
});

test("a row of another provider, or of a later day, covers nothing", async () => {
  expect(await inputPriceOf("m-20250131", [{ provider: "q", model: "m-*", input: 7n }])).toBeUndefined();
  expect(
    await inputPriceOf("m-20250131", [{ provider: "p", model: "m-*", input: 7n, atMs: 11 }]),
  ).toBeUndefined();
});
