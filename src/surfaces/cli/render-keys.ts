import type { OperationOutput } from "./operation-types.ts";
import { showTime } from "./text/show-value.ts";
import { type Style, stateTone } from "./text/style.ts";
import { type Column, renderTable } from "./text/table.ts";

type Keys = OperationOutput<"keys.list">["keys"];

const COLUMNS: readonly Column[] = [
  { head: "ID", align: "right", isFirm: true },
  { head: "Name" },
  { head: "User ID", align: "right", isFirm: true },
  { head: "User" },
  { head: "Created" },
  { head: "Expires" },
  { head: "Last Used" },
  { head: "State", isFirm: true, tone: stateTone },
  { head: "Key", isFirm: true },
  { head: "Models" },
];

/** Keys as a table; a key itself is not in it. */
export function renderKeys(keys: Keys, style: Style): string {
  const rows = keys.map((key) => [
    String(key.id),
    key.name ?? "-",
    String(key.accountId),
    key.username ?? "-",
    showTime(key.createdAt),
    showTime(key.expiresAt, "never"),
    showTime(key.lastUsedAt, "never"),
    key.state,
    key.masked,
    key.allowedModels?.length ? key.allowedModels.join(", ") : "all",
  ]);
  return renderTable(COLUMNS, rows, style);
}
