import { stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { ApiError, badRequest, overloaded } from "./api-error.ts";

/** What the store needs of a model. */
export interface StoredModel {
  dispose(): Promise<void>;
}

/** A model that stays loaded until `release`. */
export interface ModelLease<M> {
  readonly model: M;
  /** Calling it again does nothing. */
  release(): void;
}

export interface ModelStoreOptions<M> {
  /** `version` changes with the file's content. */
  load(path: string, version: string): Promise<M>;
  readonly maxLoadedModels: number;
  /** Requests under way for one model, those in its slots included. */
  readonly maxLeasesPerModel: number;
  /** Requests that may wait for another model to be unloaded. */
  readonly maxWaiting: number;
  onUnloaded(path: string): void;
}

interface Entry<M> {
  readonly path: string;
  readonly version: string;
  readonly loading: Promise<M>;
  model: M | undefined;
  leases: number;
  /** Rises with each use: the smallest is the least recently used. */
  usedAt: number;
  /** Chosen to make room: takes no new requests, and goes when the last one is done. */
  leaving: boolean;
}

/**
 * Loads models on first use, once for all who ask at the same time, and keeps at most `maxLoadedModels`;
 * the least recently used one makes room for another, after finishing what it is doing.
 */
export class ModelStore<M extends StoredModel> {
  readonly #options: ModelStoreOptions<M>;
  readonly #entries = new Set<Entry<M>>();
  readonly #waiting = new Set<() => void>();
  #uses = 0;
  #unloading = 0;

  constructor(options: ModelStoreOptions<M>) {
    this.#options = options;
  }

  /** The models in memory, in no particular order. */
  loaded(): readonly M[] {
    return [...this.#entries].flatMap((entry) => (entry.model === undefined ? [] : [entry.model]));
  }

  /** Requests under way for the file at `path`, those that wait for it to be loaded included. */
  leases(path: string): number {
    return [...this.#entries].reduce((sum, entry) => sum + (entry.path === path ? entry.leases : 0), 0);
  }

  /** Requests that wait for a model to make room. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * The model of the file at `path`, loaded if need be. Rejects with 404 for a missing file, 503 when too many
   * requests wait, what `load` threw, or the signal's reason. The one loading is not given up with one request.
   */
  async lease(path: string, signal: AbortSignal): Promise<ModelLease<M>> {
    const version = await fileVersion(path);
    for (;;) {
      signal.throwIfAborted();
      const entry = this.#find(path, version) ?? this.#startLoading(path, version);
      if (entry !== undefined) return await this.#use(entry, signal);
      await this.#waitForRoom(signal);
    }
  }

  #find(path: string, version: string): Entry<M> | undefined {
    for (const entry of this.#entries) {
      if (entry.path === path && entry.version === version && !entry.leaving) return entry;
    }
    return undefined;
  }

  async #use(entry: Entry<M>, signal: AbortSignal): Promise<ModelLease<M>> {
    if (entry.leases >= this.#options.maxLeasesPerModel) {
      throw overloaded("This local model is busy and its queue is full. Please try again later.");
    }
    entry.leases++;
    entry.usedAt = ++this.#uses;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      entry.leases--;
      this.#unloadIfLeft(entry);
      if (this.#waiting.size > 0) this.#makeRoom();
    };
    try {
      const model = await untilAborted(entry.loading, signal);
      return { model, release };
    } catch (cause) {
      release();
      throw cause;
    }
  }

  /** Undefined if there is no room yet; then room is being made. */
  #startLoading(path: string, version: string): Entry<M> | undefined {
    if (this.#entries.size + this.#unloading >= this.#options.maxLoadedModels) {
      this.#makeRoom();
      // Even an idle model takes a moment to go.
      return undefined;
    }
    const entry: Entry<M> = {
      path,
      version,
      loading: this.#options.load(path, version),
      model: undefined,
      leases: 0,
      usedAt: ++this.#uses,
      leaving: false,
    };
    this.#entries.add(entry);
    entry.loading.then(
      (model) => {
        entry.model = model;
        this.#unloadIfLeft(entry);
      },
      () => {
        this.#entries.delete(entry);
        this.#wakeAll();
      },
    );
    return entry;
  }

  #makeRoom(): void {
    const leaving = [...this.#entries].filter((entry) => entry.leaving).length + this.#unloading;
    if (leaving > 0) return;
    const staying = [...this.#entries].sort((a, b) => a.usedAt - b.usedAt);
    const victim = staying.find((entry) => entry.leases === 0) ?? staying[0];
    if (victim === undefined) return;
    victim.leaving = true;
    this.#unloadIfLeft(victim);
  }

  #unloadIfLeft(entry: Entry<M>): void {
    const { model } = entry;
    if (!entry.leaving || entry.leases > 0 || model === undefined || !this.#entries.delete(entry)) return;
    this.#unloading++;
    const done = () => {
      this.#unloading--;
      this.#options.onUnloaded(entry.path);
      this.#wakeAll();
    };
    model.dispose().then(done, done);
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#options.maxWaiting) {
      throw overloaded("Too many requests wait for a local model to be loaded. Please try again later.");
    }
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(wake);
        reject(signal.reason);
      };
      const wake = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** In order of arrival, so the first in line finds the room first. */
  #wakeAll(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

/** Size and time of change as one string. Throws 400 for a relative path, 404 if there is no such file. */
async function fileVersion(path: string): Promise<string> {
  if (!isAbsolute(path)) throw badRequest("The model path must be absolute.");
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined || !stats.isFile()) {
    throw new ApiError("The model's file does not exist on this machine.", {
      status: 404,
      type: "invalid_request_error",
      param: "model",
      code: "model_not_found",
    });
  }
  return `${stats.size}:${stats.mtimeMs}`;
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw signal.reason;
  let leave: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (leave !== undefined) signal.removeEventListener("abort", leave);
  }
}
