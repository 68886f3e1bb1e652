import { rm } from "node:fs/promises";
import { type ChildEvent, type ChildExit, spawnWorker, type WorkerChild } from "./local-process-child.ts";
import { modelPathHeaders } from "./model-path-header.ts";
import { defaultRestartDelay, type RestartDelayOptions, restartDelayMs } from "./restart-delay.ts";
import type { WorkerHealth } from "./worker/worker-server.ts";
import type { GpuChoice } from "./worker/worker-settings.ts";

/** What happened to the process, for logs and metrics. Never contains anything of a prompt. */
export type LocalProcessEvent =
  | ChildEvent
  | { readonly event: "starting"; readonly restarts: number }
  | {
      readonly event: "exited";
      readonly exit: ChildExit;
      readonly expected: boolean;
      readonly retryInMs: number;
    }
  | { readonly event: "preload-failed"; readonly path: string; readonly status: number };

/** Time, so that tests can hold it. */
export interface LocalProcessClock {
  nowMs(): number;
  /** Calls back once after `delayMs`; the returned function prevents it. */
  after(delayMs: number, callback: () => void): () => void;
}

export interface LocalProcessOptions {
  /** Where the process listens; at most 107 bytes, in a directory that exists. Replaced if it is a stale socket. */
  readonly socketPath: string;
  /** Default: one fewer than the processor's cores, at least one. llama.cpp's threads spin while they wait. */
  readonly threads?: number;
  /** Default: false, the processor. */
  readonly gpu?: GpuChoice;
  /** Requests that one model works on at once. Default: 4. */
  readonly slots?: number;
  /** Tokens of prompt and answer per request. Default: what the model was trained on, at most 4096. */
  readonly contextTokens?: number;
  /** Default: 2. */
  readonly maxLoadedModels?: number;
  /** Requests per model that may wait for a slot. Default: 64. */
  readonly maxQueued?: number;
  /** How long `ready` waits for a start or a restart. Default: 10,000. */
  readonly maxWaitMs?: number;
  /** A start that takes longer counts as a crash. Default: 60,000. */
  readonly startTimeoutMs?: number;
  /** Time after SIGTERM before SIGKILL. Default: 5,000. */
  readonly stopGraceMs?: number;
  readonly restartDelay?: RestartDelayOptions;
  /** A crash after this much health starts the delays anew. Default: 60,000. */
  readonly healthyAfterMs?: number;
  /** Default: the Bun that runs this. */
  readonly bunPath?: string;
  /** The worker's main module. Default: worker/main.ts beside this file. */
  readonly workerEntry?: string;
  /** Added to the child's environment, which otherwise has only what finding libraries and GPUs needs. */
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: LocalProcessClock;
  readonly onEvent?: (event: LocalProcessEvent) => void;
}

/** The process cannot take requests now. */
export class LocalProcessUnavailable extends Error {
  /** When asking again makes sense; undefined if it was stopped. */
  readonly retryInMs: number | undefined;

  constructor(message: string, retryInMs: number | undefined) {
    super(message);
    this.name = "LocalProcessUnavailable";
    this.retryInMs = retryInMs;
  }
}

export interface LocalProcessStatus {
  readonly state: "idle" | "starting" | "ready" | "waiting-to-restart" | "stopped";
  readonly pid: number | undefined;
  readonly restarts: number;
  /** Only while waiting to restart. */
  readonly retryInMs: number | undefined;
  readonly lastExit: ChildExit | undefined;
}

type State =
  | { readonly name: "idle" | "stopped" }
  | { readonly name: "starting"; readonly child: WorkerChild }
  | { readonly name: "ready"; readonly child: WorkerChild; readonly sinceMs: number }
  | { readonly name: "waiting-to-restart"; readonly untilMs: number; readonly cancel: () => void };

const longestSocketPathBytes = 107;

const systemClock: LocalProcessClock = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * Keeps the process that runs local models alive: starts it with the first request, starts it again when it
 * crashes, ever less eagerly, and ends it with the gateway. What it serves is OpenAI's protocol on a Unix socket.
 */
export class LocalProcess {
  readonly #options: LocalProcessOptions;
  readonly #clock: LocalProcessClock;
  readonly #preloaded = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #state: State = { name: "idle" };
  #crashesInARow = 0;
  #restarts = 0;
  #lastExit: ChildExit | undefined;

  /** Throws if the socket path is too long for the system. Starts nothing. */
  constructor(options: LocalProcessOptions) {
    if (Buffer.byteLength(options.socketPath) > longestSocketPathBytes) {
      throw new Error(
        `The socket path is longer than ${longestSocketPathBytes} bytes: ${options.socketPath}`,
      );
    }
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Where to send requests; starts the process if it does not run. Callers at the same time share one start.
   * Rejects with `LocalProcessUnavailable` when it did not come up within `maxWaitMs` or was stopped,
   * and with the signal's reason if that aborts first.
   */
  async ready(signal?: AbortSignal): Promise<{ socketPath: string }> {
    const { socketPath, maxWaitMs = 10_000 } = this.#options;
    const untilMs = this.#clock.nowMs() + maxWaitMs;
    for (;;) {
      signal?.throwIfAborted();
      if (this.#state.name === "ready") return { socketPath };
      if (this.#state.name === "stopped") {
        throw new LocalProcessUnavailable("The local model process was stopped.", undefined);
      }
      if (this.#state.name === "idle") this.#start();
      const leftMs = untilMs - this.#clock.nowMs();
      const retryInMs = this.#retryInMs();
      if (leftMs <= 0 || retryInMs > leftMs) {
        const waitMs = Math.max(retryInMs, 1000);
        throw new LocalProcessUnavailable(
          `The local model process is not available; retry in ${(waitMs / 1000).toFixed(1)} s.`,
          waitMs,
        );
      }
      await this.#changed(leftMs, signal);
    }
  }

  /**
   * Loads models now, and again after each restart, so that no request waits for it. A model that cannot be
   * loaded is told by an event, not thrown. Rejects as `ready` does.
   */
  async preload(paths: readonly string[]): Promise<void> {
    for (const path of paths) this.#preloaded.add(path);
    await this.ready();
    await this.#load(paths);
  }

  status(): LocalProcessStatus {
    const state = this.#state;
    return {
      state: state.name,
      pid: "child" in state ? state.child.pid : undefined,
      restarts: this.#restarts,
      retryInMs: state.name === "waiting-to-restart" ? this.#retryInMs() : undefined,
      lastExit: this.#lastExit,
    };
  }

  /** What the process says about its models and slots; undefined when it does not run or does not answer. */
  async health(): Promise<WorkerHealth | undefined> {
    if (this.#state.name !== "ready") return undefined;
    const response = await this.#fetch("/health", {}).catch(() => undefined);
    return response?.ok === true ? ((await response.json()) as WorkerHealth) : undefined;
  }

  /**
   * Ends the process: with SIGTERM it finishes the requests under way and goes; SIGKILL if it is still there
   * after the grace. It will not be started again.
   */
  async stop(): Promise<void> {
    const state = this.#state;
    this.#enter({ name: "stopped" });
    if (state.name === "waiting-to-restart") state.cancel();
    if (!("child" in state)) return;
    const cancelKill = this.#clock.after(this.#options.stopGraceMs ?? 5_000, () =>
      state.child.kill("SIGKILL"),
    );
    state.child.kill("SIGTERM");
    await state.child.exited;
    cancelKill();
    await rm(this.#options.socketPath, { force: true });
  }

  #start(): void {
    this.#emit({ event: "starting", restarts: this.#restarts });
    const child = this.#spawn();
    if (child === undefined) return;
    this.#enter({ name: "starting", child });
    const cancel = this.#clock.after(this.#options.startTimeoutMs ?? 60_000, () => {
      if (this.#state.name === "starting" && this.#state.child === child) child.kill("SIGKILL");
    });
    void child.exited.then((exit) => {
      cancel();
      this.#childExited(child, exit);
    });
  }

  /** Undefined if not even that was possible, for example because `bunPath` does not exist: counts as a crash. */
  #spawn(): WorkerChild | undefined {
    try {
      const child: WorkerChild = spawnWorker(this.#options, (event) => {
        if (event.event === "ready") this.#childReady(child);
        this.#emit(event);
      });
      return child;
    } catch (cause) {
      const diagnosis = cause instanceof Error ? cause.message : String(cause);
      this.#crashed({ exitCode: null, signal: null, diagnosis }, 0);
      return undefined;
    }
  }

  #childReady(child: WorkerChild): void {
    if (this.#state.name !== "starting" || this.#state.child !== child) return;
    this.#enter({ name: "ready", child, sinceMs: this.#clock.nowMs() });
    if (this.#restarts > 0) void this.#load([...this.#preloaded]);
  }

  #childExited(child: WorkerChild, exit: ChildExit): void {
    const state = this.#state;
    if (!("child" in state) || state.child !== child) {
      this.#lastExit = exit;
      this.#emit({ event: "exited", exit, expected: true, retryInMs: 0 });
      return;
    }
    this.#crashed(exit, state.name === "ready" ? this.#clock.nowMs() - state.sinceMs : 0);
  }

  /** `healthyMs` is how long it served before. */
  #crashed(exit: ChildExit, healthyMs: number): void {
    this.#lastExit = exit;
    this.#crashesInARow = healthyMs >= (this.#options.healthyAfterMs ?? 60_000) ? 1 : this.#crashesInARow + 1;
    const retryInMs = restartDelayMs(this.#crashesInARow, this.#options.restartDelay ?? defaultRestartDelay);
    this.#emit({ event: "exited", exit, expected: false, retryInMs });
    const cancel = this.#clock.after(retryInMs, () => {
      if (this.#state.name !== "waiting-to-restart") return;
      this.#restarts++;
      this.#start();
    });
    this.#enter({ name: "waiting-to-restart", untilMs: this.#clock.nowMs() + retryInMs, cancel });
  }

  async #load(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const request = { method: "POST", headers: modelPathHeaders(path) };
      const status = await this.#fetch("/load", request).then(
        (response) => response.status,
        () => 0,
      );
      if (status !== 200) this.#emit({ event: "preload-failed", path, status });
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    return await fetch(`http://localhost${path}`, { ...init, unix: this.#options.socketPath });
  }

  #retryInMs(): number {
    if (this.#state.name !== "waiting-to-restart") return 0;
    return Math.max(0, this.#state.untilMs - this.#clock.nowMs());
  }

  #enter(state: State): void {
    this.#state = state;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves at the next change of state, or after `atMostMs`, or when the signal aborts. */
  async #changed(atMostMs: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        cancel();
        this.#waiting.delete(done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const cancel = this.#clock.after(atMostMs, done);
      this.#waiting.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  #emit(event: LocalProcessEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch {
      // A listener's failure must not stop the reading of the child's output, on which the child would block.
    }
  }
}
