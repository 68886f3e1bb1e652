/// <reference lib="webworker" />
// The journal's own thread: commits batches, so that waiting for the disk never stops the event loop.
import type { Database } from "bun:sqlite";
import { isBusy, openSqlite } from "../storage/sqlite.ts";
import { ATTEMPT_COLUMNS, type Cell, REQUEST_COLUMNS } from "./journal-rows.ts";

declare const self: Worker;

export type ToWorker =
  | { readonly type: "open"; readonly path: string; readonly busyTimeoutMs: number }
  /** `rows` is the JSON of a list of `JournalRow`: a string crosses threads much cheaper than what it says. */
  | { readonly type: "commit"; readonly rows: string }
  | { readonly type: "close" };

/** A request's cells, and those of each of its attempts. */
export type JournalRow = readonly [request: readonly Cell[], attempts: readonly (readonly Cell[])[]];

export type FromWorker =
  | { readonly type: "opened" }
  | { readonly type: "committed" }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "closed" };

let database: Database | undefined;
let commit: ((rows: readonly JournalRow[]) => void) | undefined;

self.onmessage = (event: MessageEvent<ToWorker>) => {
  try {
    self.postMessage(handle(event.data));
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    self.postMessage({
      type: "failed",
      reason: isBusy(thrown) ? `busy: ${reason}` : reason,
    } satisfies FromWorker);
  }
};

function handle(message: ToWorker): FromWorker {
  switch (message.type) {
    case "open":
      database = openSqlite(message.path, { create: false, busyTimeoutMs: message.busyTimeoutMs });
      // Fewer, larger checkpoints: each writes the changed pages a second time and waits for the disk.
      database.run("pragma wal_autocheckpoint = 4000");
      commit = prepareCommit(database);
      return { type: "opened" };
    case "commit":
      if (commit === undefined) throw new Error("the journal is not open");
      commit(JSON.parse(message.rows));
      return { type: "committed" };
    case "close":
      database?.close();
      database = undefined;
      return { type: "closed" };
  }
}

/** All of a batch, or nothing of it. A row that is already there is left as it is: a batch may come twice. */
function prepareCommit(opened: Database) {
  const insertRequest = opened.prepare(insertInto("requests", REQUEST_COLUMNS));
  const insertAttempt = opened.prepare(insertInto("attempts", ATTEMPT_COLUMNS));
  return opened.transaction((rows: readonly JournalRow[]) => {
    for (const [request, attempts] of rows) {
      insertRequest.run(...request);
      for (const attempt of attempts) insertAttempt.run(...attempt);
    }
  }).immediate;
}

function insertInto(table: string, columns: readonly string[]): string {
  return `insert into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")}) on conflict do nothing`;
}
