import { expect, test } from "bun:test";
import { GroupJournal } from "../../src/ledger/journal.ts";
import { within } from "../support/within.ts";
import { holdWriteLock, openJournal, requestRow } from "./journal-setup.ts";

const DEAD = expect.stringMatching(/^failing: the journal's thread (?:ended|failed)/);

test("a thread that dies with nothing to write is replaced", async () => {
  await using setup = await openJournal();
  await setup.journal.append(requestRow("before"));
  setup.workers[0]?.terminate();
  await within("the journal to say that it fails", setup.saidAt(1));
  expect(setup.journal.refusal()).toMatchObject({ kind: "storage_unavailable" });
  await within("recovery", setup.saidAt(2));
  expect(setup.said).toEqual([DEAD, "recovered"]);
  expect(setup.journal.refusal()).toBeUndefined();
  await within("a row to be written", setup.journal.append(requestRow("later")));
  expect(setup.ids()).toEqual(["before", "later"]);
});

test("what a dead thread had not committed is written by the next one, once", async () => {
  await using setup = await openJournal({ busyTimeoutMs: 0 });
  const release = holdWriteLock(setup);
  const appends = ["a", "b", "c"].map((id) => setup.journal.append(requestRow(id)));
  setup.workers[0]?.terminate();
  await within("the journal to say that it fails", setup.saidAt(1));
  appends.push(setup.journal.append(requestRow("d")));
  release();
  await within("the rows to be written", Promise.all(appends));
  await within("recovery", setup.saidAt(2));
  expect(setup.said).toEqual([expect.stringMatching(/^failing: /), "recovered"]);
  expect(setup.ids()).toEqual(["a", "b", "c", "d"]);
  expect(setup.other.query("select count(*) from attempts").values()).toEqual([[4n]]);
});

test("threads are begun until one can open the database; that is said once", async () => {
  await using database = await openJournal();
  const said: string[] = [];
  const workers: Worker[] = [];
  const journal = await GroupJournal.open(
    database.path,
    { failing: (reason) => said.push(reason), recovered: () => said.push("recovered") },
    { maxWaitingRows: 10, maxWaitMs: 60_000, retryMs: 1, busyTimeoutMs: 0, closeMs: 5_000 },
    () => {
      const broken = workers.length === 1 || workers.length === 2;
      const file = broken ? "../../src/ledger/no-such-thread.ts" : "../../src/ledger/journal-worker.ts";
      const worker = new Worker(new URL(file, import.meta.url).href);
      workers.push(worker);
      return worker;
    },
  );
  workers[0]?.terminate();
  await within("the row to be written", journal.append(requestRow("a")));
  expect(workers).toHaveLength(4);
  expect(said).toEqual([expect.stringMatching(/^the journal's thread /), "recovered"]);
  await journal.close();
});

test("close does not wait for a thread that hangs", async () => {
  await using setup = await openJournal({ closeMs: 20 });
  const release = holdWriteLock(setup); // the commit waits for a minute
  void setup.journal.append(requestRow("a"));
  await within("the journal to close", setup.journal.close(), 10_000);
  expect(await setup.journal.drain(0)).toBe(1);
  release();
});

test("close does not wait for a thread that is dead, and begins no other", async () => {
  await using setup = await openJournal();
  setup.workers[0]?.terminate();
  await within("the journal to close", setup.journal.close(), 10_000);
  await Bun.sleep(30);
  expect(setup.workers).toHaveLength(1);
});
