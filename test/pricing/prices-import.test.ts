import { expect, test } from "bun:test";
import { runOperation } from "../../src/operations/operation.ts";
import { importPricesOperation } from "../../src/operations/prices.import.ts";
import { MemoryPriceBook } from "../../src/pricing/price-book.ts";
import { importBuiltinPrices } from "../../src/pricing/store-import.ts";
import type { Db } from "../../src/storage/database.ts";
import { addPrice, temporaryDatabase } from "./support.ts";

const NOW = Date.UTC(2026, 10, 22);
const LIST = {
  source: "mine",
  generatedAt: "2026-11-20",
  models: [
    { provider: "openai", model: "gpt-4o", input: "2.5", output: "10" },
    { provider: "groq", model: "llama", input: "0.05", output: "0.08" },
  ],
};

async function run(db: Db, input: Record<string, unknown>, nowMs = NOW) {
  const program = {
    databasePath: "",
    configuration: () => ({}),
    models: async () => [],
    canonicalModel: (name: string) => name,
    knowsModel: () => false,
    providers: () => [],
  };
  const clock = { now: () => nowMs, monotonicMs: () => 0 };
  const context = { db, clock, random: () => new Uint8Array(), program };
  const result = await runOperation(context, importPricesOperation, input, "local");
  if (!result.ok) throw new Error(result.error.message);
  return importPricesOperation.output.parse(result.value);
}

function mine(list: unknown = LIST) {
  return { format: "parallama", text: JSON.stringify(list) };
}

function rowsIn(db: Db) {
  return db.selectFrom("prices").selectAll().orderBy("id").execute();
}

test("an import adds rows from now on, names its source, and is audited without the file", async () => {
  await using database = await temporaryDatabase();
  const { db } = database;
  const output = await run(db, mine());
  expect(output).toEqual({
    imported: 2,
    unchanged: 0,
    skipped: [],
    skippedCount: 0,
    source: "mine 2026-11-20",
  });
  const [row] = await rowsIn(db);
  expect(row).toMatchObject({
    provider: "openai",
    model: "gpt-4o",
    effective_from_ms: NOW,
    input_nano_usd_per_million: 2_500_000_000n,
    output_nano_usd_per_million: 10_000_000_000n,
    cache_read_nano_usd_per_million: null,
    source: "mine 2026-11-20",
  });
  const [audit] = await db.selectFrom("audit").selectAll().execute();
  expect(audit?.operation).toBe("prices.import");
  expect(audit?.detail).not.toContain("gpt-4o");
});

test("a second import of the built-in list changes nothing", async () => {
  await using database = await temporaryDatabase();
  const { db } = database;
  const first = await importBuiltinPrices(db, NOW);
  expect(first.rows.length).toBeGreaterThan(1000);
  expect(await run(db, { format: "builtin" }, NOW + 1)).toMatchObject({
    imported: 0,
    unchanged: first.rows.length,
    skippedCount: 0,
  });
  expect((await rowsIn(db)).length).toBe(first.rows.length);
});

test("the first start imports inside its own transaction", async () => {
  await using database = await temporaryDatabase();
  const { db } = database;
  const failing = db.transaction().execute(async (trx) => {
    await importBuiltinPrices(trx, NOW);
    throw new Error("the rest failed");
  });
  await expect(failing).rejects.toThrow("the rest failed");
  expect(await rowsIn(db)).toEqual([]);
});

test("prices set by hand win until told otherwise", async () => {
  await using database = await temporaryDatabase();
  const { db } = database;
  await addPrice(db, { provider: "openai", model: "gpt-4o", input: 1n });
  const output = await run(db, mine());
  expect(output).toMatchObject({ imported: 1, skippedCount: 1 });
  expect(output.skipped).toEqual([{ model: "openai/gpt-4o", reason: "its price was set by hand" }]);
  expect(await run(db, { ...mine(), replaceManual: true })).toMatchObject({ imported: 1, unchanged: 1 });
});

test("a price set by hand holds for the snapshots of the model too", async () => {
  await using database = await temporaryDatabase();
  const { db } = database;
  await importBuiltinPrices(db, NOW - 1);
  await addPrice(db, { provider: "anthropic", model: "claude-haiku-4-5", input: 1n, atMs: NOW });
  const book = new MemoryPriceBook(() => ({ kind: "refuse" }));
  await book.reload(db);
  const charge = book.chargeFor("haiku", "anthropic", "claude-haiku-4-5-20251001", NOW);
  expect(charge.charged?.inputNanoUsdPerMillion).toBe(1n);
});

test("a dry run says the same and adds nothing", async () => {
  await using database = await temporaryDatabase();
  expect(await run(database.db, { ...mine(), dryRun: true })).toMatchObject({ imported: 2 });
  expect(await rowsIn(database.db)).toEqual([]);
});

test("only one provider's prices, if so asked", async () => {
  await using database = await temporaryDatabase();
  expect(await run(database.db, { ...mine(), provider: "groq" })).toMatchObject({ imported: 1 });
  await expect(run(database.db, { ...mine(), provider: "grok" })).rejects.toThrow(
    /has those of: groq, openai/,
  );
});

test("LiteLLM's format is taken, under the day of the import", async () => {
  await using database = await temporaryDatabase();
  const text = `{"gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05}, "x": {}}`;
  expect(await run(database.db, { format: "litellm", text })).toEqual({
    imported: 1,
    unchanged: 0,
    skipped: [{ model: "x", reason: "it names no provider" }],
    skippedCount: 1,
    source: "litellm 2026-11-22",
  });
});

test("the report of what was skipped is bounded, and its count is not", async () => {
  await using database = await temporaryDatabase();
  const output = await run(database.db, mine({ ...LIST, models: Array.from({ length: 500 }, () => 1) }));
  expect([output.skipped.length, output.skippedCount]).toEqual([100, 500]);
});

test("a file goes with a format that has one, and only with it", async () => {
  await using database = await temporaryDatabase();
  await expect(run(database.db, { format: "litellm" })).rejects.toThrow(/text/);
  await expect(run(database.db, { ...mine(), format: "builtin" })).rejects.toThrow(/text/);
  await expect(run(database.db, { format: "parallama", text: "{" })).rejects.toThrow(
    /The list cannot be read/,
  );
});
