import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { join } from "node:path";
import { GatewayFailure } from "../../src/core/error.ts";
import { GroupJournal } from "../../src/ledger/journal.ts";
import { within } from "../support/within.ts";
import { attemptRow, holdWriteLock, openJournal, requestRow, watched } from "./journal-setup.ts";

const numbered = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => requestRow(`r${String(from + i).padStart(5, "0")}`));

test("a row is durable when append resolves: another connection reads it", async () => {
  await using setup = await openJournal();
  await setup.journal.append(requestRow("a"));
  expect(setup.ids()).toEqual(["a"]);
});

test("every cell arrives as it was, money beyond 2^53 exactly", async () => {
  await using setup = await openJournal();
  const cost = 2n ** 60n + 1n;
  await setup.journal.append(
    requestRow("a", {
      costNanoUsd: cost,
      stream: true,
      usage: {
        tokens: { input: 1, cacheRead: 2, cacheWrite: 3, output: 5, reasoning: 4 },
        source: "counted",
      },
      attempts: [
        attemptRow({ provider: "one", status: 500, error: "provider_broken" }),
        attemptRow({ costNanoUsd: cost }),
      ],
    }),
  );
  expect(setup.other.query("select * from requests").all()).toEqual([
    {
      id: "a",
      started_at_ms: 1_000n,
      account_id: 1n,
      key_id: 2n,
      protocol: "openai-chat",
      requested_model: "m",
      model: "m",
      provider: "up",
      stream: 1n,
      status: 200n,
      error: null,
      input_tokens: 1n,
      cache_read_tokens: 2n,
      cache_write_tokens: 3n,
      output_tokens: 5n,
      reasoning_tokens: 4n,
      usage_source: "counted",
      price_id: 5n,
      cost_nano_usd: cost,
      latency_ms: 10n,
      first_byte_ms: 4n,
      request_bytes: 100n,
      response_bytes: 200n,
    },
  ]);
  const attempts = setup.other.query("select number, provider, status, error, cost_nano_usd from attempts");
  expect(attempts.values()).toEqual([
    [1n, "one", 500n, "provider_broken", 7n],
    [2n, "up", 200n, null, cost],
  ]);
});

test("what is unknown is null, never nought", async () => {
  await using setup = await openJournal();
  await setup.journal.append(
    requestRow("a", {
      usage: undefined,
      priceId: null,
      firstByteMs: null,
      model: null,
      requestedModel: null,
      attempts: [],
    }),
  );
  const columns =
    "input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, usage_source, price_id, first_byte_ms, model, requested_model, provider";
  expect(setup.other.query(`select ${columns} from requests`).values()).toEqual([Array(11).fill(null)]);
});

test("a caller's text is kept, but not without bound", async () => {
  await using setup = await openJournal();
  await setup.journal.append(
    requestRow("a", {
      requestedModel: "x".repeat(100_000),
      attempts: [attemptRow({ providerRequestId: "y".repeat(100_000) })],
    }),
  );
  expect(setup.other.query("select length(requested_model) from requests").values()).toEqual([[200n]]);
  expect(setup.other.query("select length(provider_request_id) from attempts").values()).toEqual([[200n]]);
});

test("a cost that no column can hold does not keep its batch from being written", async () => {
  await using setup = await openJournal({ maxWaitMs: 5_000 });
  await Promise.all(
    [requestRow("a", { costNanoUsd: 10n ** 30n }), requestRow("b")].map((row) => setup.journal.append(row)),
  );
  expect(setup.said).toEqual([]);
  expect(setup.ids()).toEqual(["a", "b"]);
  expect(setup.other.query("select cost_nano_usd from requests where id = 'a'").values()).toEqual([
    [2n ** 63n - 1n],
  ]);
});

test("many appends share few commits", async () => {
  await using setup = await openJournal();
  const counted = setup.other.query("select count(*) from requests");
  const seen = new Set<unknown>();
  const appends = numbered(1_000).map(async (row) => {
    await setup.journal.append(row);
    seen.add(counted.values()[0]?.[0]);
  });
  await Promise.all(appends);
  // The first row goes at once; what came while it was written goes together.
  expect(seen.size).toBeLessThanOrEqual(3);
  expect(setup.ids()).toHaveLength(1_000);
});

test("appends resolve in their order", async () => {
  await using setup = await openJournal();
  const order: string[] = [];
  const rows = numbered(5_000);
  await Promise.all(rows.map((row) => setup.journal.append(row).then(() => order.push(row.id))));
  expect(order).toEqual(rows.map((row) => row.id));
});

test("a row that comes twice is written once, and the first stays", async () => {
  await using setup = await openJournal();
  await setup.journal.append(requestRow("a", { costNanoUsd: 1n }));
  await setup.journal.append(
    requestRow("a", { costNanoUsd: 2n, attempts: [attemptRow({ costNanoUsd: 3n })] }),
  );
  expect(setup.other.query("select cost_nano_usd, status from requests").values()).toEqual([[1n, 200n]]);
  expect(setup.other.query("select cost_nano_usd, status from attempts").values()).toEqual([[7n, 200n]]);
});

test("beyond the bound of waiting rows new requests are refused, and no longer once it has caught up", async () => {
  await using setup = await openJournal({ maxWaitingRows: 5 });
  const release = holdWriteLock(setup);
  const appends = numbered(5).map((row) => setup.journal.append(row));
  expect(setup.journal.refusal()).toBeUndefined(); // one is being written, four wait
  appends.push(setup.journal.append(requestRow("last")));
  expect(setup.journal.refusal()).toMatchObject({ kind: "overloaded", retryAfterMs: expect.any(Number) });
  release();
  await within("the rows to be written", Promise.all(appends));
  expect(setup.journal.refusal()).toBeUndefined();
  expect(setup.ids()).toHaveLength(6);
});

/** Ways in which writing fails, each with its end. */
const FAILURES = [
  ["another connection holds the write lock", "begin immediate", "rollback", /^failing: busy: /],
  [
    "a table is gone",
    "alter table requests rename to gone",
    "alter table gone rename to requests",
    /^failing: .*requests/,
  ],
  [
    "the disk is full",
    "create trigger full before insert on attempts begin select raise(abort, 'database or disk is full'); end",
    "drop trigger full",
    /^failing: .*full/,
  ],
] as const;

test.each(FAILURES)(
  "while %s nothing new begins; then everything is written once",
  async (_, breaks, mends, reason) => {
    await using setup = await openJournal({ busyTimeoutMs: 0 });
    await setup.journal.append(requestRow("before"));
    setup.other.run(breaks);
    const appends = numbered(20).map((row) => setup.journal.append(row));
    const resolved = watched(Promise.any(appends));
    await within("the journal to say that it fails", setup.saidAt(1));
    expect(setup.said[0]).toMatch(reason);
    expect(setup.journal.refusal()).toMatchObject({
      kind: "storage_unavailable",
      retryAfterMs: expect.any(Number),
    });
    expect(resolved.done).toBe(false);
    setup.other.run(mends);
    await within("the rows to be written", Promise.all(appends));
    expect(setup.said).toEqual([expect.stringMatching(reason), "recovered"]);
    expect(setup.journal.refusal()).toBeUndefined();
    expect(setup.ids()).toEqual(["before", ...numbered(20).map((row) => row.id)]);
    expect(setup.other.query("select count(*) from attempts").values()).toEqual([[21n]]);
  },
);

test("an answer does not hang on a failing disk: appends resolve, their rows stay and are written later", async () => {
  await using setup = await openJournal({ busyTimeoutMs: 0, maxWaitMs: 30 });
  const release = holdWriteLock(setup);
  await within("the first wait to end", setup.journal.append(requestRow("a")));
  await within("a wait that began while failing to end", setup.journal.append(requestRow("b")));
  expect(setup.journal.refusal()).toMatchObject({ kind: "storage_unavailable" });
  release();
  await within("recovery", setup.saidAt(2));
  expect(await setup.journal.drain(30_000)).toBe(0);
  expect(setup.ids()).toEqual(["a", "b"]);
});

test("a commit that hangs is treated as one that fails: the wait ends, and nothing new begins", async () => {
  await using setup = await openJournal({ maxWaitMs: 30 }); // the commit itself waits for a minute
  const release = holdWriteLock(setup);
  await within("the wait to end", setup.journal.append(requestRow("a")));
  expect(setup.said).toEqual([expect.stringContaining("has not answered for 30 ms")]);
  expect(setup.journal.refusal()).toMatchObject({ kind: "storage_unavailable" });
  release();
  await within("recovery", setup.saidAt(2));
  expect(setup.said[1]).toBe("recovered");
  expect(setup.ids()).toEqual(["a"]);
});

test("drain waits for what was appended, and says what is left when its time is over", async () => {
  await using setup = await openJournal({ busyTimeoutMs: 0 });
  expect(await setup.journal.drain(30_000)).toBe(0);
  for (const row of numbered(100)) void setup.journal.append(row);
  expect(await setup.journal.drain(30_000)).toBe(0);
  expect(setup.ids()).toHaveLength(100);
  const release = holdWriteLock(setup);
  for (const row of numbered(3, 100)) void setup.journal.append(row);
  expect(await setup.journal.drain(20)).toBe(3);
  release();
  expect(await setup.journal.drain(30_000)).toBe(0);
});

test("close lets a commit that is under way end first", async () => {
  await using setup = await openJournal();
  const { path } = setup;
  const second = await GroupJournal.open(path, { failing() {}, recovered() {} });
  const append = second.append(requestRow("a"));
  await second.close();
  expect(setup.ids()).toEqual(["a"]);
  void append;
});

test("a database without tables, or none at all, is refused at the start", async () => {
  await using setup = await openJournal();
  const empty = join(setup.folder, "empty.db");
  new Database(empty, { create: true }).close();
  for (const path of [empty, join(setup.folder, "missing.db")]) {
    const opening = GroupJournal.open(path, { failing() {}, recovered() {} });
    const thrown = await opening.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(thrown).toBeInstanceOf(GatewayFailure);
    expect((thrown as GatewayFailure).error.kind).toBe("storage_unavailable");
  }
});
