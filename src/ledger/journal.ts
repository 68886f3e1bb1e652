import { type GatewayError, GatewayFailure, gatewayError } from "../core/error.ts";
import type { Journal, RequestRow } from "../engine/ports.ts";
import { attemptCells, requestCells } from "./journal-rows.ts";
import type { FromWorker, JournalRow, ToWorker } from "./journal-worker.ts";

/** Rows that wait for the disk; beyond it, new requests are refused until it has caught up. */
export const MAX_WAITING_ROWS = 20_000;
/** The most rows in one transaction. */
const MAX_BATCH_ROWS = 2_000;
/** How long an answer waits for a disk that fails, before it leaves and its row is written later. */
const MAX_WAIT_MS = 2_000;
const RETRY_MS = 250;
/** Under load, the pause between two commits in which rows gather: a commit costs much more than a row in it. */
const GATHER_MS = 1;
/** A commit of this many rows means load. Below it each row is committed at once, and nobody waits. */
const LOAD_ROWS = 4;

interface Waiting {
  readonly row: RequestRow;
  readonly durable: () => void;
}

/** Told when writing fails and when it works again. */
export interface JournalEvents {
  failing(reason: string): void;
  recovered(): void;
}

/**
 * Writes finished requests down, in groups: everything that came while one commit ran goes into the next. The commits
 * run in a thread of their own (journal-worker.ts). A batch that fails is kept and tried again until it is written;
 * until then nothing new begins (`refusal`).
 */
export class GroupJournal implements Journal {
  readonly #worker: Worker;
  readonly #events: JournalEvents;
  #queue: Waiting[] = [];
  #committing: Waiting[] = [];
  #lastRows = 0;
  #gathering = false;
  #failing: GatewayError | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #giveUp: ReturnType<typeof setTimeout> | undefined;
  #idle: (() => void)[] = [];

  private constructor(worker: Worker, events: JournalEvents) {
    this.#worker = worker;
    this.#events = events;
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#answered(event.data);
  }

  /** Opens the journal of a database whose tables exist. */
  static async open(path: string, events: JournalEvents): Promise<GroupJournal> {
    const worker = new Worker(new URL("./journal-worker.ts", import.meta.url).href);
    const opened = await ask(worker, { type: "open", path });
    if (opened.type === "failed") {
      worker.terminate();
      throw new GatewayFailure(
        gatewayError("storage_unavailable", `The journal cannot be opened: ${opened.reason}`),
      );
    }
    return new GroupJournal(worker, events);
  }

  append(row: RequestRow): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.push({ row, durable: resolve });
    if (this.#committing.length === 0) this.#commitSoon();
    else if (this.#failing !== undefined) this.#giveUp ??= setTimeout(() => this.#letGo(), MAX_WAIT_MS);
    return promise;
  }

  refusal(): GatewayError | undefined {
    if (this.#failing !== undefined) return this.#failing;
    if (this.#queue.length < MAX_WAITING_ROWS) return undefined;
    return gatewayError("overloaded", "Too many finished requests wait for the disk.", {
      retryAfterMs: 1_000,
    });
  }

  /** Resolves when everything appended so far is durable, or when `timeoutMs` is over. Gives what is left unwritten. */
  async drain(timeoutMs: number): Promise<number> {
    if (this.#committing.length + this.#queue.length > 0) {
      const written = new Promise<void>((resolve) => this.#idle.push(resolve));
      await Promise.race([written, Bun.sleep(timeoutMs)]);
    }
    return this.#queue.length + this.#committing.length;
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    clearTimeout(this.#giveUp);
    await ask(this.#worker, { type: "close" });
    this.#worker.terminate();
  }

  /** Commits what waits: at once, or under load after a moment in which more may join. */
  #commitSoon(): void {
    if (this.#gathering) return;
    if (this.#lastRows < LOAD_ROWS || this.#queue.length === 0) {
      this.#commitNext();
      return;
    }
    this.#gathering = true;
    setTimeout(() => {
      this.#gathering = false;
      this.#commitNext();
    }, GATHER_MS);
  }

  #commitNext(): void {
    this.#committing = this.#queue.splice(0, MAX_BATCH_ROWS);
    if (this.#committing.length > 0) {
      this.#send();
      return;
    }
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #send(): void {
    const rows = this.#committing.map(({ row }): JournalRow => [requestCells(row), attemptCells(row)]);
    this.#worker.postMessage({ type: "commit", rows: JSON.stringify(rows) } satisfies ToWorker);
  }

  #answered(answer: FromWorker): void {
    if (answer.type === "committed") this.#committed();
    else if (answer.type === "failed") this.#failed(answer.reason);
  }

  #committed(): void {
    if (this.#failing !== undefined) {
      this.#failing = undefined;
      clearTimeout(this.#giveUp);
      this.#giveUp = undefined;
      this.#events.recovered();
    }
    for (const { durable } of this.#committing) durable();
    this.#lastRows = this.#committing.length;
    this.#committing = [];
    this.#commitSoon();
  }

  #failed(reason: string): void {
    if (this.#failing === undefined) {
      const text = "Usage cannot be written down at the moment, so no request is accepted.";
      this.#failing = gatewayError("storage_unavailable", text, { retryAfterMs: 5_000 });
      this.#events.failing(reason);
    }
    this.#giveUp ??= setTimeout(() => this.#letGo(), MAX_WAIT_MS);
    this.#retry = setTimeout(() => this.#send(), RETRY_MS);
  }

  /** Lets the answers go that wait for a failing disk. Their rows stay. */
  #letGo(): void {
    this.#giveUp = undefined;
    for (const { durable } of [...this.#committing, ...this.#queue]) durable();
  }
}

function ask(worker: Worker, message: ToWorker): Promise<FromWorker> {
  return new Promise((resolve, reject) => {
    worker.onmessage = (event: MessageEvent<FromWorker>) => resolve(event.data);
    worker.onerror = (event) => reject(new Error(`the journal's thread failed: ${event.message}`));
    worker.postMessage(message);
  });
}
