import { expect, test } from "bun:test";
import { usageFigures } from "../../src/operations/usage-figures.ts";
import { openJournal, requestRow } from "../ledger/journal-setup.ts";

const NOON = Date.UTC(2026, 0, 2, 12, 30);
const HOUR_MS = 3_600_000;

test("usage is that of one account: of this hour, of today, and of all time", async () => {
  await using setup = await openJournal();
  const rows = [
    requestRow("a", { startedAtMs: NOON - 30 * 60_000, costNanoUsd: 2n ** 53n }), // the full hour itself
    requestRow("b", { startedAtMs: NOON - 30 * 60_000 - 1, costNanoUsd: 1n }),
    requestRow("c", { startedAtMs: NOON - 12.5 * HOUR_MS, usage: undefined, costNanoUsd: 0n }), // midnight
    requestRow("d", {
      startedAtMs: NOON - 12.5 * HOUR_MS - 1,
      usage: {
        tokens: { input: 1, cacheRead: 20, cacheWrite: 300, output: 4_000, reasoning: 9 },
        source: "counted",
      },
      costNanoUsd: 1n,
    }),
    requestRow("e", { startedAtMs: NOON, accountId: 9 }),
  ];
  for (const row of rows) await setup.journal.append(row);
  expect(await usageFigures(setup.db, 1, NOON)).toEqual({
    currentHour: { requests: 1, tokens: 7, costUsd: "9007199.254740992" },
    today: { requests: 3, tokens: 14, costUsd: "9007199.254740993" },
    total: { requests: 4, tokens: 4_335, costUsd: "9007199.254740994" },
  });
  expect((await usageFigures(setup.db, 5, NOON)).total).toEqual({ requests: 0, tokens: 0, costUsd: "0.00" });
});
