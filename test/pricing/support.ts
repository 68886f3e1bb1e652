import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Db, openDatabase } from "../../src/storage/database.ts";

/** An empty database that is gone after the test. */
export async function temporaryDatabase(): Promise<AsyncDisposable & { readonly db: Db }> {
  const folder = mkdtempSync(join(tmpdir(), "parallama-prices-"));
  const db = await openDatabase(join(folder, "test.db"));
  return {
    db,
    async [Symbol.asyncDispose]() {
      await db.destroy();
      rmSync(folder, { recursive: true });
    },
  };
}

/** A row of the table of prices, as `prices.set` writes it unless told otherwise. */
export async function addPrice(
  db: Db,
  price: { model: string; provider?: string; input: bigint; source?: string; atMs?: number },
): Promise<void> {
  await db
    .insertInto("prices")
    .values({
      model: price.model,
      provider: price.provider ?? null,
      effective_from_ms: price.atMs ?? 0,
      per_request_nano_usd: 0n,
      input_nano_usd_per_million: price.input,
      output_nano_usd_per_million: 0n,
      cache_read_nano_usd_per_million: null,
      cache_write_nano_usd_per_million: null,
      reasoning_nano_usd_per_million: null,
      source: price.source ?? "set",
      created_at_ms: 0,
    })
    .execute();
}
