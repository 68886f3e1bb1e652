import { z } from "zod";
import { findAccount } from "../accounts/accounts.ts";
import { usdText } from "../core/money.ts";
import { defineOperation, must } from "./operation.ts";
import { time, timeOf, username } from "./shapes.ts";
import { usageFigures, usageFiguresShape } from "./usage-figures.ts";

const requestShape = z.object({
  id: z.string(),
  at: time,
  model: z.string().nullable(),
  provider: z.string().nullable(),
  status: z.number(),
  error: z.string().nullable(),
  inputTokens: z.number().nullable(),
  cacheReadTokens: z.number().nullable(),
  cacheWriteTokens: z.number().nullable(),
  outputTokens: z.number().nullable(),
  reasoningTokens: z.number().nullable(),
  usageSource: z.string().nullable(),
  costUsd: z.string(),
  latencyMs: z.number(),
});

export const showUsageOperation = defineOperation({
  name: "usage.show",
  summary: "What an account used this hour, today and in all, and its latest requests.",
  changes: false,
  stale: [],
  input: z.strictObject({ username, latest: z.number().int().min(0).max(1_000).default(10) }),
  output: usageFiguresShape.extend({ username: z.string().nullable(), latest: z.array(requestShape) }),
  async run({ db, clock }, input) {
    const account = must(await findAccount(db, input.username));
    const rows = await db
      .selectFrom("requests")
      .selectAll()
      .where("account_id", "=", account.id)
      .orderBy("started_at_ms", "desc")
      .orderBy("id", "desc")
      .limit(input.latest)
      .execute();
    const latest = rows.map((row) => ({
      id: row.id,
      at: timeOf(row.started_at_ms),
      model: row.model ?? row.requested_model,
      provider: row.provider,
      status: row.status,
      error: row.error,
      inputTokens: row.input_tokens,
      cacheReadTokens: row.cache_read_tokens,
      cacheWriteTokens: row.cache_write_tokens,
      outputTokens: row.output_tokens,
      reasoningTokens: row.reasoning_tokens,
      usageSource: row.usage_source,
      costUsd: usdText(row.cost_nano_usd),
      latencyMs: row.latency_ms,
    }));
    const figures = await usageFigures(db, account.id, clock.now());
    return { output: { username: account.handle, ...figures, latest } };
  },
});
