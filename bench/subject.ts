// What every subject is made of.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { otherCores, SUBJECT_CORE } from "./machine.ts";
import type { Running } from "./processes.ts";
import type { Target } from "./wire.ts";

export type Started = {
  plain: Target;
  /** Where streams are asked for, if somewhere else: nginx needs other settings for them. */
  streams: Target;
  pid: number;
  stop: () => Promise<void>;
};
export type Place = { upstreamPort: number; folder: string };
export type Subject = { name: string; what: string; start: (place: Place) => Promise<Started> };

export const CHAT_PATH = "/v1/chat/completions";
/** Bun's fetch queues silently beyond 256 requests unless this is set before the process starts. */
export const BUN_ENV = { BUN_CONFIG_MAX_HTTP_REQUESTS: "20000" };
export const subjectCores = (): string => (otherCores() === "" ? "" : String(SUBJECT_CORE));

let instances = 0;
/** A folder of its own for each start, so that a fresh instance finds nothing of the last one. */
export function instanceFolder(place: Place, name: string): string {
  const folder = join(place.folder, `${name}-${++instances}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

export const sameForBoth = (
  port: number,
  headers: Record<string, string>,
  child: Running,
  path = CHAT_PATH,
): Started => {
  const target = { port, path, headers };
  return { plain: target, streams: target, pid: child.pid, stop: child.stop };
};
