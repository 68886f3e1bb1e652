import type { Usage } from "../core/usage.ts";
import type { RequestRow } from "../engine/ports.ts";

/** A value that goes to the journal's thread as JSON, and into SQLite. */
export type Cell = string | number | null;

export const REQUEST_COLUMNS = [
  "id",
  "started_at_ms",
  "account_id",
  "key_id",
  "protocol",
  "requested_model",
  "model",
  "provider",
  "stream",
  "status",
  "error",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "reasoning_tokens",
  "usage_source",
  "price_id",
  "cost_nano_usd",
  "latency_ms",
  "first_byte_ms",
  "request_bytes",
  "response_bytes",
] as const;

export const ATTEMPT_COLUMNS = [
  "request_id",
  "number",
  "provider",
  "provider_model",
  "provider_request_id",
  "status",
  "error",
  "started_at_ms",
  "latency_ms",
  "input_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "output_tokens",
  "reasoning_tokens",
  "usage_source",
  "cost_nano_usd",
] as const;

/** A requested model's name is the caller's text: it is kept, but not without bound. */
const MAX_NAME_LENGTH = 200;

export function requestCells(row: RequestRow): Cell[] {
  return [
    row.id,
    row.startedAtMs,
    row.accountId,
    row.keyId,
    row.protocol,
    row.requestedModel?.slice(0, MAX_NAME_LENGTH) ?? null,
    row.model,
    row.attempts.at(-1)?.provider ?? null,
    row.stream ? 1 : 0,
    row.status,
    row.error,
    ...usageCells(row.usage),
    row.priceId,
    moneyCell(row.costNanoUsd),
    row.latencyMs,
    row.firstByteMs,
    row.requestBytes,
    row.responseBytes,
  ];
}

export function attemptCells(row: RequestRow): Cell[][] {
  return row.attempts.map((attempt, index) => [
    row.id,
    index + 1,
    attempt.provider,
    attempt.providerModel,
    attempt.providerRequestId?.slice(0, MAX_NAME_LENGTH) ?? null,
    attempt.status,
    attempt.error,
    attempt.startedAtMs,
    attempt.latencyMs,
    ...usageCells(attempt.usage),
    moneyCell(attempt.costNanoUsd),
  ]);
}

/** The most that a column holds: nine billion dollars. Only a provider that reports nonsense can cost more. */
const MAX_NANO_USD = 2n ** 63n - 1n;

/**
 * JSON has no integers beyond 2^53: such an amount goes as text, which a strict INTEGER column takes exactly. One that
 * no column can hold would keep its whole batch, and with it all later rows, from ever being written.
 */
function moneyCell(cost: bigint): Cell {
  const amount = cost > MAX_NANO_USD ? MAX_NANO_USD : cost;
  return amount <= Number.MAX_SAFE_INTEGER && amount >= Number.MIN_SAFE_INTEGER
    ? Number(amount)
    : amount.toString();
}

function usageCells(usage: Usage | undefined): Cell[] {
  const tokens = usage?.tokens;
  return [
    tokens?.input ?? null,
    tokens?.cacheRead ?? null,
    tokens?.cacheWrite ?? null,
    tokens?.output ?? null,
    tokens?.reasoning ?? null,
    usage?.source ?? null,
  ];
}
