import type { AttemptRow, RequestRow } from "../../src/engine/ports.ts";
import { GroupJournal, type JournalBounds } from "../../src/ledger/journal.ts";
import { type TempDatabase, tempDatabase } from "../support/temp-database.ts";

export function attemptRow(changes: Partial<AttemptRow> = {}): AttemptRow {
  return {
    provider: "up",
    providerModel: "m-1",
    providerRequestId: "req_1",
    status: 200,
    error: null,
    startedAtMs: 1_001,
    latencyMs: 9,
    usage: { tokens: { input: 3, output: 4 }, source: "provider" },
    costNanoUsd: 7n,
    ...changes,
  };
}

export function requestRow(id: string, changes: Partial<RequestRow> = {}): RequestRow {
  return {
    id,
    startedAtMs: 1_000,
    accountId: 1,
    keyId: 2,
    protocol: "openai-chat",
    requestedModel: "m",
    model: "m",
    stream: false,
    status: 200,
    error: null,
    usage: { tokens: { input: 3, output: 4 }, source: "provider" },
    priceId: 5,
    costNanoUsd: 11n,
    latencyMs: 10,
    firstByteMs: 4,
    requestBytes: 100,
    responseBytes: 200,
    attempts: [attemptRow()],
    ...changes,
  };
}

/** Patient enough that nothing but the test itself makes a bound reached. */
const PATIENT: JournalBounds = {
  maxWaitingRows: 20_000,
  maxWaitMs: 60_000,
  retryMs: 5,
  busyTimeoutMs: 60_000,
  closeMs: 60_000,
};

export interface JournalSetup extends TempDatabase {
  readonly journal: GroupJournal;
  /** Every thread that the journal began. */
  readonly workers: readonly Worker[];
  /** What the journal said: "failing: <reason>" and "recovered", in order. */
  readonly said: string[];
  /** Resolves when the journal has said so many things in all. */
  saidAt(count: number): Promise<void>;
  ids(): string[];
}

export async function openJournal(bounds: Partial<JournalBounds> = {}): Promise<JournalSetup> {
  const database = await tempDatabase();
  const said: string[] = [];
  let wake = () => {};
  const say = (text: string) => {
    said.push(text);
    wake();
  };
  const events = {
    failing: (reason: string) => say(`failing: ${reason}`),
    recovered: () => say("recovered"),
  };
  const workers: Worker[] = [];
  const newWorker = () => {
    const worker = new Worker(new URL("../../src/ledger/journal-worker.ts", import.meta.url).href);
    workers.push(worker);
    return worker;
  };
  const journal = await GroupJournal.open(database.path, events, { ...PATIENT, ...bounds }, newWorker);
  return {
    ...database,
    journal,
    workers,
    said,
    async saidAt(count) {
      while (said.length < count) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
    },
    ids: () =>
      database.other
        .query("select id from requests order by id")
        .values()
        .map(([id]) => String(id)),
    async [Symbol.asyncDispose]() {
      await journal.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Holds the database's write lock until it is let go. */
export function holdWriteLock({ other }: TempDatabase): () => void {
  other.run("begin immediate");
  return () => other.run("rollback");
}

/** Whether a promise has been resolved by now. */
export function watched(promise: Promise<unknown>): { readonly done: boolean } {
  const state = { done: false };
  void promise.then(() => {
    state.done = true;
  });
  return state;
}
