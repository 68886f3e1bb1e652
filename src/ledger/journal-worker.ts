/// <reference lib="webworker" />
// The journal's own thread: commits batches, so that waiting for the disk never stops the event loop.
import type { Database } from "bun:sqlite";
import { isBusy, openSqlite } from "../storage/sqlite.ts";
import { ATTEMPT_COLUMNS, type Cell, REQUEST_COLUMNS } from "./journal-rows.ts";

declare const self: Worker;

export type ToWorker =
  | { readonly type: "open"; readonly path: string }
  | { readonly type: "commit"; readonly requests: readonly Cell[][]; readonly attempts: readonly Cell[][] }
  | { readonly type: "close" };

export type FromWorker =
  | { readonly type: "opened" }
  | { readonly type: "committed" }
  | { readonly type: "failed"; readonly reason: string }
  | { readonly type: "closed" };

/** An administrative transaction may hold the file for a moment; the journal waits for it here. */
const BUSY_TIMEOUT_MS = 5_000;

let database: Database | undefined;
let commit: ((message: Extract<ToWorker, { type: "commit" }>) => void) | undefined;

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
      database = openSqlite(message.path, { create: false, busyTimeoutMs: BUSY_TIMEOUT_MS });
      commit = prepareCommit(database);
      return { type: "opened" };
    case "commit":
      if (commit === undefined) throw new Error("the journal is not open");
      commit(message);
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
  return opened.transaction((batch: Extract<ToWorker, { type: "commit" }>) => {
    for (const cells of batch.requests) insertRequest.run(...cells);
    for (const cells of batch.attempts) insertAttempt.run(...cells);
  }).immediate;
}

function insertInto(table: string, columns: readonly string[]): string {
  return `insert into ${table} (${columns.join(", ")}) values (${columns.map(() => "?").join(", ")}) on conflict do nothing`;
}
