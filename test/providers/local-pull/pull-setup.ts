import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type PullError,
  type PulledModel,
  type PullOptions,
  type PullProgress,
  pullModel,
} from "../../../src/providers/local/pull/index.ts";
import { ImitationHub } from "../../support/imitation-hub.ts";

export const title = "Owner/Tiny-GGUF";
export const path = "Tiny-Q4_K_M.gguf";
export const reference = `hf:${title}`;

/** A hub, an empty models directory, and a pull that never really waits between attempts. */
export class PullSetup {
  /** The pauses that were asked for, in ms. */
  readonly pausesMs: number[] = [];
  /** What the last report of progress said; every received chunk is reported. */
  receivedBytes = 0;
  #nowMs = 0;

  private constructor(
    readonly hub: ImitationHub,
    readonly directory: string,
    private readonly parent: string,
  ) {}

  static async start(): Promise<PullSetup> {
    const parent = await mkdtemp(join(tmpdir(), "parallama-pull-"));
    return new PullSetup(await ImitationHub.start(), join(parent, "models"), parent);
  }

  async stop(): Promise<void> {
    await this.hub.stop();
    await rm(this.parent, { recursive: true, force: true });
  }

  /** A path outside the models directory. */
  outside(name: string): string {
    return join(this.parent, name);
  }

  inside(name: string): string {
    return join(this.directory, name);
  }

  pull(text = reference, options: Partial<PullOptions> = {}): ReturnType<typeof pullModel> {
    return pullModel(text, {
      directory: this.directory,
      hubUrl: this.hub.hubUrl,
      freeBytes: async () => 1e12,
      sleep: async (delayMs) => {
        this.pausesMs.push(delayMs);
      },
      now: () => {
        this.#nowMs += 1000;
        return this.#nowMs;
      },
      ...options,
      onProgress: (progress) => {
        this.receivedBytes = progress.receivedBytes;
        options.onProgress?.(progress);
      },
    });
  }

  /** Cancels a pull when exactly so many bytes have been received, and leaves the rest to the next. */
  async interrupt(bytes: number, text = reference, options: Partial<PullOptions> = {}): Promise<void> {
    const controller = new AbortController();
    this.hub.fail("content", { kind: "stall", afterBytes: bytes });
    const onProgress = (progress: PullProgress) => {
      if (progress.phase === "download" && progress.receivedBytes === bytes) controller.abort();
    };
    const error = await this.refused(text, { ...options, onProgress, signal: controller.signal });
    if (error.kind !== "cancelled") throw new Error(`${error.kind}: ${error.message}`);
  }

  async pulled(text = reference, options: Partial<PullOptions> = {}): Promise<PulledModel> {
    const result = await this.pull(text, options);
    if (!result.ok) throw new Error(`${result.error.kind}: ${result.error.message}`);
    return result.model;
  }

  async refused(text = reference, options: Partial<PullOptions> = {}): Promise<PullError> {
    const result = await this.pull(text, options);
    if (result.ok) throw new Error("The pull should have failed.");
    return result.error;
  }
}

/** Bytes that begin like a model and do not repeat, the same for the same seed. */
export function modelBytes(sizeBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let state = seed;
  for (let index = 0; index < sizeBytes; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  bytes.set(new TextEncoder().encode("GGUF").subarray(0, sizeBytes));
  return bytes;
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
