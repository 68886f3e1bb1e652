import { parseArgs } from "node:util";

/** What llama.cpp computes on; false is the processor. */
export type GpuChoice = false | "auto" | "cuda" | "vulkan" | "metal";

/** How the worker process runs; all of it comes from its command line. */
export interface WorkerSettings {
  /** Unix socket to listen on; created with mode 0600. */
  readonly socketPath: string;
  readonly threads: number;
  readonly gpu: GpuChoice;
  /** Requests that one model works on at the same time. */
  readonly slots: number;
  /** Tokens of prompt and answer together, per slot; undefined: what the model was trained on, at most 4096. */
  readonly contextTokens: number | undefined;
  readonly maxLoadedModels: number;
  /** Requests that may wait per model, beyond those in its slots. */
  readonly maxQueued: number;
}

/** The settings as command-line arguments: what `parseWorkerSettings` reads. */
export function workerArguments(settings: WorkerSettings): readonly string[] {
  const { contextTokens } = settings;
  return [
    `--socket=${settings.socketPath}`,
    `--threads=${settings.threads}`,
    `--gpu=${settings.gpu === false ? "off" : settings.gpu}`,
    `--slots=${settings.slots}`,
    `--max-loaded-models=${settings.maxLoadedModels}`,
    `--max-queued=${settings.maxQueued}`,
    ...(contextTokens === undefined ? [] : [`--context-tokens=${contextTokens}`]),
  ];
}

/** Throws with a readable text for a missing, unknown or wrong argument. */
export function parseWorkerSettings(args: readonly string[]): WorkerSettings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      socket: { type: "string" },
      threads: { type: "string" },
      gpu: { type: "string" },
      slots: { type: "string" },
      "context-tokens": { type: "string" },
      "max-loaded-models": { type: "string" },
      "max-queued": { type: "string" },
    },
  });
  if (values.socket === undefined) throw new Error("--socket is missing");
  const contextTokens = values["context-tokens"];
  return {
    socketPath: values.socket,
    threads: wholeNumber("--threads", values.threads, 1),
    gpu: gpuChoice(values.gpu),
    slots: wholeNumber("--slots", values.slots, 1),
    contextTokens:
      contextTokens === undefined ? undefined : wholeNumber("--context-tokens", contextTokens, 8),
    maxLoadedModels: wholeNumber("--max-loaded-models", values["max-loaded-models"], 1),
    maxQueued: wholeNumber("--max-queued", values["max-queued"], 0),
  };
}

function wholeNumber(name: string, text: string | undefined, min: number): number {
  const value = Number(text);
  if (text === undefined || !Number.isSafeInteger(value) || value < min) {
    throw new Error(`${name} must be a whole number, at least ${min}`);
  }
  return value;
}

function gpuChoice(text: string | undefined): GpuChoice {
  switch (text) {
    case undefined:
    case "off":
      return false;
    case "auto":
    case "cuda":
    case "vulkan":
    case "metal":
      return text;
    default:
      throw new Error("--gpu must be off, auto, cuda, vulkan or metal");
  }
}
