import type { OperationOutput } from "./operation-types.ts";
import { showCount, showTimeToSecond, showUsd } from "./text/show-value.ts";
import type { Style } from "./text/style.ts";
import { type Column, renderTable } from "./text/table.ts";

type Figures = OperationOutput<"accounts.show">["usage"];
type Requests = OperationOutput<"usage.show">["latest"];

const FIGURE_COLUMNS: readonly Column[] = [
  { head: "Period" },
  { head: "Requests", align: "right", isFirm: true },
  { head: "Tokens", align: "right", isFirm: true },
  { head: "Cost", align: "right", isFirm: true },
];

const REQUEST_COLUMNS: readonly Column[] = [
  { head: "Time", isFirm: true },
  { head: "Model" },
  { head: "Provider" },
  {
    head: "Status",
    align: "right",
    isFirm: true,
    tone: (status) => (Number(status) >= 400 ? "bad" : undefined),
  },
  { head: "Input", align: "right", isFirm: true },
  { head: "Output", align: "right", isFirm: true },
  { head: "Cost", align: "right", isFirm: true },
  { head: "Took", align: "right", isFirm: true },
];

/** What was used today, this hour and in all. */
export function renderUsageFigures({ today, currentHour, total }: Figures, style: Style): string {
  const row = (name: string, { requests, tokens, costUsd }: Figures["today"]) => [
    name,
    showCount(requests),
    showCount(tokens),
    showUsd(costUsd),
  ];
  const rows = [row("Today", today), row("Current hour", currentHour), row("In all", total)];
  return renderTable(FIGURE_COLUMNS, rows, style);
}

/** Requests, newest first. `?` stands where nobody knows the count. */
export function renderRequests(requests: Requests, style: Style): string {
  const rows = requests.map((request) => [
    showTimeToSecond(request.at),
    request.model ?? "-",
    request.provider ?? "-",
    String(request.status),
    showCount(inputOf(request)),
    showCount(request.outputTokens),
    showUsd(request.costUsd),
    showDuration(request.latencyMs),
  ]);
  return renderTable(REQUEST_COLUMNS, rows, style);
}

/** Input of every kind together, as far as it is known. */
function inputOf({ inputTokens, cacheReadTokens, cacheWriteTokens }: Requests[number]): number | null {
  const known = [inputTokens, cacheReadTokens, cacheWriteTokens].filter((count) => count !== null);
  return known.length === 0 ? null : known.reduce((sum, count) => sum + count, 0);
}

function showDuration(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
