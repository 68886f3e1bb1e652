import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import type { LocalProcessOptions } from "./local-process.ts";
import type { WorkerEvent } from "./worker/worker-event.ts";
import { type WorkerSettings, workerArguments } from "./worker/worker-settings.ts";

/** What the process reports about itself. */
export type ChildEvent = WorkerEvent;

export interface ChildExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What llama.cpp or Bun said when it aborted, if it did. */
  readonly diagnosis: string | undefined;
}

export interface WorkerChild {
  readonly pid: number;
  /** Never rejects. */
  readonly exited: Promise<ChildExit>;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

const eventNames: readonly string[] = [
  "ready",
  "model-loaded",
  "model-unloaded",
  "model-failed",
  "warning",
  "internal-error",
] satisfies readonly WorkerEvent["event"][];

/** Let through to the child: what finding libraries and GPUs may need. Everything else, keys above all, stays. */
const inheritedVariables = [
  ..."PATH HOME TMPDIR LANG LD_LIBRARY_PATH DYLD_LIBRARY_PATH SYSTEMROOT WINDIR".split(" "),
  ..."CUDA_VISIBLE_DEVICES CUDA_PATH GGML_VK_VISIBLE_DEVICES VK_ICD_FILENAMES".split(" "),
];

/** llama.cpp may quote a schema or a prompt on stderr, so only lines that name an abort are kept. */
const abortLine = /GGML_ASSERT|GGML_ABORT|CUDA error|out of memory|^panic/i;
const longestLineChars = 64 * 1024;

/** Starts the worker. It ends by itself when this process does: its standard input closes. */
export function spawnWorker(options: LocalProcessOptions, onEvent: (event: ChildEvent) => void): WorkerChild {
  const entry = options.workerEntry ?? Bun.fileURLToPath(new URL("./worker/main.ts", import.meta.url));
  const child = Bun.spawn({
    cmd: [
      options.bunPath ?? process.execPath,
      "--no-install",
      "--no-env-file",
      entry,
      ...workerArguments(workerSettings(options)),
    ],
    cwd: dirname(entry),
    env: childEnvironment(options.env ?? {}),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let diagnosis: string | undefined;
  const read = Promise.allSettled([
    eachLine(child.stdout, (line) => {
      const event = parseEvent(line);
      if (event !== undefined) onEvent(event);
    }),
    eachLine(child.stderr, (line) => {
      if (diagnosis === undefined && abortLine.test(line)) diagnosis = line.slice(0, 300);
    }),
  ]);
  const exited = child.exited.then(async (): Promise<ChildExit> => {
    await read;
    return {
      exitCode: child.exitCode,
      signal: child.signalCode === null ? null : String(child.signalCode),
      diagnosis,
    };
  });
  return { pid: child.pid, exited, kill: (signal) => child.kill(signal) };
}

/** The settings that the worker is started with, defaults filled in. */
function workerSettings(options: LocalProcessOptions): WorkerSettings {
  return {
    socketPath: options.socketPath,
    threads: options.threads ?? Math.max(1, availableParallelism() - 1),
    gpu: options.gpu ?? false,
    slots: options.slots ?? 4,
    contextTokens: options.contextTokens,
    maxLoadedModels: options.maxLoadedModels ?? 2,
    maxQueued: options.maxQueued ?? 64,
  };
}

function childEnvironment(extra: Readonly<Record<string, string>>): Record<string, string> {
  const inherited = inheritedVariables.flatMap((name): [string, string][] => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  // In a compiled binary the only Bun is the binary itself; this makes it run the entry like a plain Bun.
  return { ...Object.fromEntries(inherited), BUN_BE_BUN: "1", ...extra };
}

function parseEvent(line: string): ChildEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const name = typeof value === "object" && value !== null ? Reflect.get(value, "event") : undefined;
    return typeof name === "string" && eventNames.includes(name) ? (value as ChildEvent) : undefined;
  } catch {
    return undefined;
  }
}

async function eachLine(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, longestLineChars);
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}
