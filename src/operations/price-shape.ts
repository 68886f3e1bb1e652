import { z } from "zod";
import { usdText } from "../core/money.ts";
import type { Price } from "../core/price.ts";
import { time, timeOf } from "./shapes.ts";

/** An amount in US dollars, as exact decimal text with at most nine decimals. */
export const usd = z
  .string()
  .regex(/^\d{1,9}(\.\d{1,9})?$/, "an amount in US dollars such as 0.25, with at most nine decimals")
  .describe("US dollars, exact decimal");

export const priceShape = z.object({
  id: z.number(),
  model: z.string(),
  provider: z.string().nullable(),
  effectiveFrom: time,
  perRequest: usd,
  input: usd.describe("Per million tokens"),
  output: usd.describe("Per million tokens"),
  cacheRead: usd.nullable().describe("Per million tokens; null: as input"),
  cacheWrite: usd.nullable().describe("Per million tokens; null: as input"),
  reasoning: usd.nullable().describe("Per million tokens; null: as output"),
  source: z.string(),
});

export function showPrice(price: Price): z.output<typeof priceShape> {
  const optional = (amount: bigint | undefined) => (amount === undefined ? null : usdText(amount));
  return {
    id: price.id,
    model: price.model,
    provider: price.provider ?? null,
    effectiveFrom: timeOf(price.effectiveFromMs),
    perRequest: usdText(price.perRequestNanoUsd),
    input: usdText(price.inputNanoUsdPerMillion),
    output: usdText(price.outputNanoUsdPerMillion),
    cacheRead: optional(price.cacheReadNanoUsdPerMillion),
    cacheWrite: optional(price.cacheWriteNanoUsdPerMillion),
    reasoning: optional(price.reasoningNanoUsdPerMillion),
    source: price.source,
  };
}
