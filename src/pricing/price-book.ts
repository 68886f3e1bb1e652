import type { Selectable } from "kysely";
import type { Price } from "../core/price.ts";
import type { Charge, PriceBook, UnpricedRule } from "../engine/ports.ts";
import type { Db } from "../storage/database.ts";
import type { PricesTable } from "../storage/schema.ts";
import { SNAPSHOTS, snapshotBase } from "./snapshots.ts";

/**
 * All prices in memory. A price without a provider is what callers pay for a public model name. A price of a provider is
 * what that provider charges for its model; callers pay it too where no other is set.
 */
export class MemoryPriceBook implements PriceBook {
  readonly #unpriced: () => UnpricedRule;
  /** Newest first. */
  #prices: ReadonlyMap<string, readonly Price[]> = new Map();

  constructor(unpriced: () => UnpricedRule) {
    this.#unpriced = unpriced;
  }

  get unpriced(): UnpricedRule {
    return this.#unpriced();
  }

  chargeFor(publicModel: string, provider: string, providerModel: string, atMs: number): Charge {
    const cost = this.#at(providerModel, provider, atMs);
    return { charged: this.#at(publicModel, null, atMs) ?? cost, cost };
  }

  async reload(db: Db): Promise<void> {
    this.#prices = await readPrices(db);
  }

  /**
   * The price of a model by its name; else, where its snapshots are priced (a row of `<model>-*`), what the model that
   * it is a snapshot of costs. A price of the model itself comes before that of its snapshots: it may be set by hand.
   */
  #at(model: string, provider: string | null, atMs: number): Price | undefined {
    const own = priceAt(this.#prices.get(priceKey(model, provider)), atMs);
    if (own !== undefined) return own;
    const base = snapshotBase(model);
    if (base === undefined) return undefined;
    const snapshots = priceAt(this.#prices.get(priceKey(base + SNAPSHOTS, provider)), atMs);
    return snapshots && (priceAt(this.#prices.get(priceKey(base, provider)), atMs) ?? snapshots);
  }
}

/** All prices by `priceKey`, newest first. */
export async function readPrices(db: Db): Promise<Map<string, Price[]>> {
  const rows = await db
    .selectFrom("prices")
    .selectAll()
    .orderBy("effective_from_ms", "desc")
    .orderBy("id", "desc")
    .execute();
  const prices = new Map<string, Price[]>();
  for (const row of rows) {
    const key = priceKey(row.model, row.provider);
    const price = priceOf(row);
    const dated = prices.get(key);
    if (dated === undefined) prices.set(key, [price]);
    else dated.push(price);
  }
  return prices;
}

/** The price in force at a moment, of prices that are newest first. */
export function priceAt(prices: readonly Price[] | undefined, atMs: number): Price | undefined {
  return prices?.find((price) => price.effectiveFromMs <= atMs);
}

export function priceKey(model: string, provider: string | null): string {
  return provider === null ? model : `${provider}\n${model}`;
}

export function priceOf(row: Selectable<PricesTable>): Price {
  return {
    id: row.id,
    model: row.model,
    ...(row.provider === null ? {} : { provider: row.provider }),
    effectiveFromMs: row.effective_from_ms,
    perRequestNanoUsd: row.per_request_nano_usd,
    inputNanoUsdPerMillion: row.input_nano_usd_per_million,
    outputNanoUsdPerMillion: row.output_nano_usd_per_million,
    ...(row.cache_read_nano_usd_per_million === null
      ? {}
      : { cacheReadNanoUsdPerMillion: row.cache_read_nano_usd_per_million }),
    ...(row.cache_write_nano_usd_per_million === null
      ? {}
      : { cacheWriteNanoUsdPerMillion: row.cache_write_nano_usd_per_million }),
    ...(row.reasoning_nano_usd_per_million === null
      ? {}
      : { reasoningNanoUsdPerMillion: row.reasoning_nano_usd_per_million }),
    source: row.source,
  };
}
