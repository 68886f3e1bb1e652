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

/** What an account used: this hour, today (UTC), and in all. */
export async function usageFigures(db: Db, accountId: number, nowMs: number): Promise<UsageFigures> {
  return {
    today: await windowSince(db, accountId, nowMs - (nowMs % DAY_MS)),
    currentHour: await windowSince(db, accountId, nowMs - (nowMs % HOUR_MS)),
    total: await windowSince(db, accountId, 0),
  };
}

async function windowSince(db: Db, accountId: number, fromMs: number): Promise<z.output<typeof windowShape>> {
  const row = await db
    .selectFrom("requests")
    .where("account_id", "=", accountId)
    .where("started_at_ms", ">=", fromMs)
    .select((eb) => [
      eb.fn.countAll<number>().as("requests"),
      eb.fn.sum<number | null>("input_tokens").as("input"),
      eb.fn.sum<number | null>("cache_read_tokens").as("cache_read"),
      eb.fn.sum<number | null>("cache_write_tokens").as("cache_write"),
      eb.fn.sum<number | null>("output_tokens").as("output"),
      eb.fn.sum<bigint | null>("cost_nano_usd").as("cost_nano_usd"),
    ])
    .executeTakeFirstOrThrow();
  const tokens = (row.input ?? 0) + (row.cache_read ?? 0) + (row.cache_write ?? 0) + (row.output ?? 0);
  return { requests: row.requests, tokens, costUsd: usdText(row.cost_nano_usd ?? 0n) };
}
