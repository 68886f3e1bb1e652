import { readFile } from "node:fs/promises";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import type { Db } from "../storage/database.ts";
import { type ImportedRow, type ImportOptions, type ImportPlan, planImport } from "./import.ts";
import type { PriceList } from "./listed-price.ts";
import { readParallamaList } from "./parallama-list.ts";
import { readPrices } from "./price-book.ts";

/** A row has twelve values, and a statement of SQLite at most 32,766. */
const ROWS_PER_INSERT = 1000;

const BUILTIN_LIST = new URL("../../assets/prices.json", import.meta.url);

/** The list that comes with the program. Throws `GatewayFailure` when the installation is broken. */
export async function readBuiltinList(): Promise<PriceList> {
  const text = await readFile(BUILTIN_LIST, "utf8").catch((thrown: unknown) => {
    throw new GatewayFailure(gatewayError("not_configured", "The built-in price list is missing."), thrown);
  });
  const list = readParallamaList(text);
  if (!list.ok) throw new GatewayFailure(list.error);
  return list.value;
}

/** Imports the list that comes with the program: what a new database starts with. A second time changes nothing. */
export async function importBuiltinPrices(db: Db, nowMs: number): Promise<ImportPlan> {
  const list = await readBuiltinList();
  const run = (inside: Db) => importPriceList(inside, list, { nowMs, replaceManual: false });
  return db.isTransaction ? await run(db) : await db.transaction().execute(run);
}

/** Adds the rows that a list brings. Call it inside a transaction. With `dryRun` nothing is added. */
export async function importPriceList(
  db: Db,
  list: PriceList,
  options: ImportOptions & { readonly dryRun?: boolean },
): Promise<ImportPlan> {
  const plan = planImport(list.prices, await readPrices(db), options);
  if (options.dryRun === true) return plan;
  for (let from = 0; from < plan.rows.length; from += ROWS_PER_INSERT) {
    const rows = plan.rows.slice(from, from + ROWS_PER_INSERT);
    const values = rows.map((row) => columnsOf(row, list.source, options.nowMs));
    await db.insertInto("prices").values(values).execute();
  }
  return plan;
}

function columnsOf({ provider, model, effectiveFromMs, rates }: ImportedRow, source: string, nowMs: number) {
  return {
    model,
    provider,
    effective_from_ms: effectiveFromMs,
    per_request_nano_usd: rates.perRequest,
    input_nano_usd_per_million: rates.input,
    output_nano_usd_per_million: rates.output,
    cache_read_nano_usd_per_million: rates.cacheRead ?? null,
    cache_write_nano_usd_per_million: rates.cacheWrite ?? null,
    reasoning_nano_usd_per_million: rates.reasoning ?? null,
    source,
    created_at_ms: nowMs,
  };
}
