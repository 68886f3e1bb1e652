import { type GatewayError, GatewayFailure, gatewayError } from "../core/error.ts";
import type { Journal, RequestRow } from "../engine/ports.ts";
import { attemptCells, requestCells } from "./journal-rows.ts";
import type { FromWorker, JournalRow, ToWorker } from "./journal-worker.ts";

/** The journal's bounds. Tests set smaller ones. */
export interface JournalBounds {
  /** Rows that wait for the disk; beyond it, new requests are refused until it has caught up. */
  readonly maxWaitingRows: number;
  /** How long an answer waits for a disk that fails or hangs, before it leaves and its row is written later. */
  readonly maxWaitMs: number;
  /** The pause before a batch is sent again, or a new thread begun; that of threads doubles, up to a minute. */
  readonly retryMs: number;
  /** How long a commit waits for an administrative transaction that holds the file. */
  readonly busyTimeoutMs: number;
  /** How long the end waits for a thread that hangs. */
  readonly closeMs: number;
}

const BOUNDS: JournalBounds = {
  maxWaitingRows: 20_000,
  maxWaitMs: 2_000,
  retryMs: 250,
  busyTimeoutMs: 5_000,
  closeMs: 5_000,
};
const MAX_RESTART_MS = 60_000;
/** The most rows in one transaction. */
const MAX_BATCH_ROWS = 2_000;
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
 * run in a thread of their own (journal-worker.ts). A batch that fails, or hangs, is kept and tried again until it is
 * written, by a new thread where the old one died; until then nothing new begins (`refusal`).
 */
export class GroupJournal implements Journal {
  readonly #path: string;
  readonly #events: JournalEvents;
  readonly #bounds: JournalBounds;
  readonly #newWorker: () => Worker;
  /** The thread that has the database open; undefined while a dead one is replaced. */
  #worker: Worker | undefined;
  #restarts = 0;
  #closed = false;
  #queue: Waiting[] = [];
  #committing: Waiting[] = [];
  #lastRows = 0;
  #gathering = false;
  #failing: GatewayError | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #giveUp: ReturnType<typeof setTimeout> | undefined;
  #idle: (() => void)[] = [];

  private constructor(path: string, events: JournalEvents, bounds: JournalBounds, newWorker: () => Worker) {
    this.#path = path;
    this.#events = events;
    this.#bounds = bounds;
    this.#newWorker = newWorker;
  }

  /** Opens the journal of a database whose tables exist. */
  static async open(
    path: string,
    events: JournalEvents,
    bounds = BOUNDS,
    newWorker = startWorker,
  ): Promise<GroupJournal> {
    const journal = new GroupJournal(path, events, bounds, newWorker);
    const refused = await journal.#start();
    if (refused === undefined) return journal;
    throw new GatewayFailure(gatewayError("storage_unavailable", `The journal cannot be opened: ${refused}`));
  }

  append(row: RequestRow): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#queue.push({ row, durable: resolve });
    if (this.#committing.length === 0) this.#commitSoon();
    else this.#boundWaiting();
    return promise;
  }

  refusal(): GatewayError | undefined {
    if (this.#failing !== undefined) return this.#failing;
    if (this.#queue.length < this.#bounds.maxWaitingRows) return undefined;
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

  /** Lets a commit that is under way end, if it ends soon. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#giveUp);
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const { promise: tooLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#bounds.closeMs);
    await Promise.race([ask(worker, { type: "close" }, ["closed"]), tooLate]);
    clearTimeout(timer);
    worker.terminate();
  }

  /** Begins a thread that has the database open; gives the reason where that fails. */
  async #start(): Promise<string | undefined> {
    const worker = this.#newWorker();
    const { busyTimeoutMs } = this.#bounds;
    const opened = await ask(worker, { type: "open", path: this.#path, busyTimeoutMs }, ["opened", "failed"]);
    if (opened.type === "failed" || this.#closed) {
      worker.terminate();
      return opened.type === "failed" ? opened.reason : undefined;
    }
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<FromWorker>) => {
      if (worker === this.#worker) this.#answered(event.data);
    };
    whenDead(worker, (reason) => {
      if (worker === this.#worker) this.#died(worker, reason);
    });
    return undefined;
  }

  #died(worker: Worker, reason: string): void {
    this.#worker = undefined;
    worker.terminate();
    clearTimeout(this.#retry);
    this.#latch(reason);
    this.#restartLater();
  }

  #restartLater(): void {
    const pauseMs = Math.min(this.#bounds.retryMs * 2 ** this.#restarts, MAX_RESTART_MS);
    this.#restarts++;
    this.#retry = setTimeout(() => void this.#restart(), pauseMs);
  }

  async #restart(): Promise<void> {
    const refused = await this.#start().catch(String);
    if (this.#closed) return;
    if (refused !== undefined) this.#restartLater();
    else if (this.#committing.length > 0) this.#send();
    else this.#committed();
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
    this.#boundWaiting();
    if (this.#worker === undefined) return; // the thread that comes next gets it
    const rows = this.#committing.map(({ row }): JournalRow => [requestCells(row), attemptCells(row)]);
    this.#worker.postMessage({ type: "commit", rows: JSON.stringify(rows) } satisfies ToWorker);
  }

  #answered(answer: FromWorker): void {
    if (answer.type === "committed") this.#committed();
    else if (answer.type === "failed") this.#failed(answer.reason);
  }

  #committed(): void {
    clearTimeout(this.#giveUp);
    this.#giveUp = undefined;
    this.#restarts = 0;
    if (this.#failing !== undefined) {
      this.#failing = undefined;
      this.#events.recovered();
    }
    for (const { durable } of this.#committing) durable();
    this.#lastRows = this.#committing.length;
    this.#committing = [];
    this.#commitSoon();
  }

  #failed(reason: string): void {
    this.#latch(reason);
    this.#retry = setTimeout(() => this.#send(), this.#bounds.retryMs);
  }

  #latch(reason: string): void {
    if (this.#failing !== undefined) return;
    const text = "Usage cannot be written down at the moment, so no request is accepted.";
    this.#failing = gatewayError("storage_unavailable", text, { retryAfterMs: 5_000 });
    this.#events.failing(reason);
  }

  #boundWaiting(): void {
    this.#giveUp ??= setTimeout(() => this.#letGo(), this.#bounds.maxWaitMs);
  }

  /** Lets the answers go that wait for a disk that fails or hangs. Their rows stay. */
  #letGo(): void {
    this.#giveUp = undefined;
    this.#latch(`the database has not answered for ${this.#bounds.maxWaitMs} ms`);
    for (const { durable } of [...this.#committing, ...this.#queue]) durable();
  }
}

function startWorker(): Worker {
  return new Worker(new URL("./journal-worker.ts", import.meta.url).href);
}

function whenDead(worker: Worker, callback: (reason: string) => void): void {
  worker.onerror = (event) => callback(`the journal's thread failed: ${event.message}`);
  worker.addEventListener("close", () => callback("the journal's thread ended"), { once: true });
}

/**
 * Says something and waits for one of its `answers`; what else comes first belongs to something said before. A thread
 * that dies of it has failed.
 */
function ask(worker: Worker, message: ToWorker, answers: FromWorker["type"][]): Promise<FromWorker> {
  return new Promise((resolve) => {
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (answers.includes(data.type)) resolve(data);
    };
    whenDead(worker, (reason) => resolve({ type: "failed", reason }));
    worker.postMessage(message);
  });
}
