import { sql } from "kysely";
import { z } from "zod";
import { usdText } from "../core/money.ts";
import type { Db } from "../storage/database.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const windowShape = z.object({
  requests: z.number(),
  tokens: z.number().describe("Input and output of every bucket together"),
  costUsd: z.string().describe("Exact decimal, in US dollars"),
});

export const usageFiguresShape = z.object({
  today: windowShape.describe("Since midnight, UTC"),
  currentHour: windowShape.describe("Since the full hour, UTC"),
  total: windowShape,
});

export type UsageFigures = z.output<typeof usageFiguresShape>;

/** What an account used: this hour, today (UTC), and in all. Its rows are read once. */
export async function usageFigures(db: Db, accountId: number, nowMs: number): Promise<UsageFigures> {
  const row = await db
    .selectFrom("requests")
    .where("account_id", "=", accountId)
    .select((eb) => {
      const tokens = sql<number>`coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0)
        + coalesce(cache_write_tokens, 0) + coalesce(output_tokens, 0)`;
      const since = (fromMs: number) => ({
        requests: eb.fn.countAll<number>().filterWhere("started_at_ms", ">=", fromMs),
        tokens: eb.fn.sum<number | null>(tokens).filterWhere("started_at_ms", ">=", fromMs),
        cost: eb.fn.sum<bigint | null>("cost_nano_usd").filterWhere("started_at_ms", ">=", fromMs),
      });
      const today = since(nowMs - (nowMs % DAY_MS));
      const hour = since(nowMs - (nowMs % HOUR_MS));
      const total = since(0);
      return [
        today.requests.as("today_requests"),
        today.tokens.as("today_tokens"),
        today.cost.as("today_nano_usd"),
        hour.requests.as("hour_requests"),
        hour.tokens.as("hour_tokens"),
        hour.cost.as("hour_nano_usd"),
        total.requests.as("total_requests"),
        total.tokens.as("total_tokens"),
        total.cost.as("total_nano_usd"),
      ];
    })
    .executeTakeFirstOrThrow();
  return {
    today: windowOf(row.today_requests, row.today_tokens, row.today_nano_usd),
    currentHour: windowOf(row.hour_requests, row.hour_tokens, row.hour_nano_usd),
    total: windowOf(row.total_requests, row.total_tokens, row.total_nano_usd),
  };
}

function windowOf(
  requests: number,
  tokens: number | null,
  nanoUsd: bigint | null,
): z.output<typeof windowShape> {
  return { requests, tokens: tokens ?? 0, costUsd: usdText(nanoUsd ?? 0n) };
}
