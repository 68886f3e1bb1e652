/** What the worker tells its supervisor: one JSON object a line on its standard output. */
export type WorkerEvent =
  | { readonly event: "ready"; readonly pid: number }
  | {
      readonly event: "model-loaded";
      readonly path: string;
      readonly loadMs: number;
      readonly contextTokens: number;
    }
  | { readonly event: "model-unloaded"; readonly path: string }
  | { readonly event: "model-failed"; readonly path: string; readonly reason: string }
  | { readonly event: "warning"; readonly message: string }
  /** An error nobody expected. `where` are stack frames; messages stay out, as they might quote a prompt. */
  | { readonly event: "internal-error"; readonly name: string; readonly where: readonly string[] };

/** Writes one event. Never give it anything taken from a prompt or an answer. */
export function emitWorkerEvent(event: WorkerEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** The event for a thrown value, without its message. */
export function internalErrorEvent(thrown: unknown): WorkerEvent {
  if (!(thrown instanceof Error)) return { event: "internal-error", name: typeof thrown, where: [] };
  const frames = (thrown.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { event: "internal-error", name: thrown.name, where: frames.slice(0, 8).map((line) => line.trim()) };
}
