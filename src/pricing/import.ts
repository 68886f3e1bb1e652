import type { Price } from "../core/price.ts";
import type { Result } from "../core/result.ts";
import {
  type ListedPrice,
  type PriceList,
  type Rates,
  ratesOf,
  type SkippedPrice,
  sameRates,
} from "./listed-price.ts";
import { readLiteLlmList } from "./litellm-list.ts";
import { readParallamaList } from "./parallama-list.ts";
import { priceAt, priceKey } from "./price-book.ts";

/** A row that an import adds. */
export interface ImportedRow {
  readonly provider: string;
  readonly model: string;
  readonly effectiveFromMs: number;
  readonly rates: Rates;
}

/** What an import would do. */
export interface ImportPlan {
  readonly rows: readonly ImportedRow[];
  readonly unchanged: number;
  readonly skipped: readonly SkippedPrice[];
}

export interface ImportOptions {
  readonly nowMs: number;
  /** Replaces prices that were set by hand too. */
  readonly replaceManual: boolean;
}

/** The `source` of a price that was set by hand. */
function isManual(price: Price): boolean {
  return price.source === "set" || price.source.startsWith("set by ");
}

/**
 * Decides what a list changes. A price holds from now on, and one that is announced for a later day from that day on; a
 * price that is in force then already is left alone, and so is one that was set by hand. `stored` has the prices by
 * `priceKey`, newest first.
 */
export function planImport(
  listed: readonly ListedPrice[],
  stored: ReadonlyMap<string, readonly Price[]>,
  options: ImportOptions,
): ImportPlan {
  const rows: ImportedRow[] = [];
  const skipped: SkippedPrice[] = [];
  let unchanged = 0;
  for (const [key, prices] of byKey(listed)) {
    const [{ provider, model }] = prices;
    const steps = stepsOf(prices, options.nowMs);
    if (steps === undefined) {
      skipped.push({ provider, model, reason: "it is listed more than once, with different prices" });
      continue;
    }
    let added: Step | undefined;
    for (const step of steps) {
      const there = priceAt(stored.get(key), step.effectiveFromMs);
      const overtaken = added !== undefined && added.effectiveFromMs >= (there?.effectiveFromMs ?? 0);
      const inForce = overtaken ? added?.rates : there && storedRates(there);
      if (inForce !== undefined && sameRates(inForce, step.rates)) {
        unchanged++;
      } else if (!overtaken && there !== undefined && isManual(there) && !options.replaceManual) {
        skipped.push({ provider, model, reason: "its price was set by hand" });
      } else {
        added = step;
        rows.push({ provider, model, ...step });
      }
    }
  }
  return { rows, unchanged, skipped };
}

/** A price and when it begins. */
type Step = Pick<ImportedRow, "effectiveFromMs" | "rates">;
type Listed = [ListedPrice, ...ListedPrice[]];

function byKey(listed: readonly ListedPrice[]): Map<string, Listed> {
  const groups = new Map<string, Listed>();
  for (const price of listed) {
    const key = priceKey(price.model, price.provider);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [price]);
    else group.push(price);
  }
  return groups;
}

/**
 * The prices of one model in the order of their days: that of today, which begins now, and those of days to come.
 * `undefined` where one day has two different prices.
 */
function stepsOf(prices: Listed, nowMs: number): Step[] | undefined {
  const days = new Map<number, Rates>();
  for (const { effectiveFromMs = 0, rates } of prices) {
    const other = days.get(effectiveFromMs);
    if (other !== undefined && !sameRates(other, rates)) return undefined;
    days.set(effectiveFromMs, rates);
  }
  const steps = [...days].map(([effectiveFromMs, rates]) => ({ effectiveFromMs, rates }));
  steps.sort((a, b) => a.effectiveFromMs - b.effectiveFromMs);
  const today = steps.findLast((step) => step.effectiveFromMs <= nowMs);
  const coming = steps.filter((step) => step.effectiveFromMs > nowMs);
  return today === undefined ? coming : [{ effectiveFromMs: nowMs, rates: today.rates }, ...coming];
}

function storedRates(price: Price): Rates {
  return ratesOf({
    perRequest: price.perRequestNanoUsd,
    input: price.inputNanoUsdPerMillion,
    output: price.outputNanoUsdPerMillion,
    cacheRead: price.cacheReadNanoUsdPerMillion,
    cacheWrite: price.cacheWriteNanoUsdPerMillion,
    reasoning: price.reasoningNanoUsdPerMillion,
  });
}

/** The formats that a list of prices may come in. */
export type ListFormat = "parallama" | "litellm";

/** Reads a list. A file that is not of the format is refused as a whole; an entry that cannot be taken is skipped alone. */
export function readPriceList(format: ListFormat, text: string, nowMs: number): Result<PriceList> {
  if (format === "parallama") return readParallamaList(text);
  return readLiteLlmList(text, new Date(nowMs).toISOString().slice(0, 10));
}
