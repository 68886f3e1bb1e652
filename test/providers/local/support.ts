import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import {
  LocalProcess,
  type LocalProcessEvent,
  type LocalProcessOptions,
} from "../../../src/providers/local/local-process.ts";
import { modelPathHeaders } from "../../../src/providers/local/model-path-header.ts";
import type { WorkerHealth } from "../../../src/providers/local/worker/worker-server.ts";
import { demoModelPath } from "../../support/demo-model.ts";

/** For anything that takes as long as the machine wants. */
export const patienceMs = 60_000;

/** Waits until `condition` gives something, asking again and again. Rejects after `patienceMs`. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadlineMs = performance.now() + patienceMs;
  while (performance.now() < deadlineMs) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    await Bun.sleep(10);
  }
  throw new Error(`waited in vain for ${what}`);
}

/** A new directory; `remove` deletes it. */
export function temporaryDirectory(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "parallama-local-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A worker process with its supervisor, on a socket of its own. */
export class WorkerUnderTest {
  readonly process: LocalProcess;
  readonly events: LocalProcessEvent[] = [];
  readonly socketPath: string;
  readonly #directory = temporaryDirectory();

  constructor(options: Partial<LocalProcessOptions> = {}) {
    this.socketPath = join(this.#directory.path, "local.sock");
    this.process = new LocalProcess({
      socketPath: this.socketPath,
      threads: 1,
      slots: 2,
      maxWaitMs: patienceMs,
      onEvent: (event) => this.events.push(event),
      ...options,
    });
  }

  /** The official client, talking to the worker as the gateway does. */
  client(modelPath: string = demoModelPath()): OpenAI {
    return new OpenAI({
      apiKey: "none",
      baseURL: "http://local/v1",
      maxRetries: 0,
      timeout: patienceMs,
      defaultHeaders: modelPathHeaders(modelPath),
      fetch: (url: string | URL | Request, init?: RequestInit) =>
        fetch(url instanceof Request ? url.url : url, { ...init, unix: this.socketPath }),
    });
  }

  /** A bare request; an object becomes a JSON body. */
  async request(path: string, body?: unknown, init: RequestInit = {}): Promise<Response> {
    return await fetch(`http://local${path}`, {
      unix: this.socketPath,
      headers: modelPathHeaders(demoModelPath()),
      ...(body === undefined
        ? {}
        : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }),
      ...init,
    });
  }

  /** Slots at work and requests waiting, over all models. */
  async load(): Promise<{ active: number; queued: number }> {
    const health: WorkerHealth | undefined = await this.process.health();
    const models = health?.models ?? [];
    return {
      active: models.reduce((sum, model) => sum + model.activeSlots, 0),
      queued: models.reduce((sum, model) => sum + model.queued, 0),
    };
  }

  async stop(): Promise<void> {
    await this.process.stop();
    this.#directory.remove();
  }
}

/** True while a process of this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
