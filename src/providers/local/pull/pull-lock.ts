import { readFileSync } from "node:fs";
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname } from "node:path";
import { PullStop, systemErrorCode } from "./pull-error.ts";

type LockHolder = { pid: number; host: string; processStart: string | null };

const heartbeatMs = 15_000;
/** A lock of another host (say, an earlier container on the same volume) is dead after so long without a beat. */
const foreignStaleMs = 120_000;
/** Taking a lock over is a matter of milliseconds; whoever began longer ago has died of it. */
const takeoverStaleMs = 60_000;

const heldHere = new Set<string>();

/**
 * Runs `work` as the only pull of its kind: the lock file at `path` names this process. A second caller gets
 * `PullStop` `in_progress`. The lock of a process that no longer runs is taken over.
 */
export async function withPullLock<T>(path: string, now: () => number, work: () => Promise<T>): Promise<T> {
  if (heldHere.has(path)) throw busy(path, thisProcess());
  heldHere.add(path);
  try {
    await acquire(path, now);
    const heartbeat = setInterval(() => {
      const time = new Date();
      utimes(path, time, time).catch(() => undefined);
    }, heartbeatMs);
    heartbeat.unref();
    try {
      return await work();
    } finally {
      clearInterval(heartbeat);
      await rm(path, { force: true });
    }
  } finally {
    heldHere.delete(path);
  }
}

async function acquire(path: string, now: () => number): Promise<void> {
  if (await createLock(path)) return;
  const holder = await staleHolder(path, now);
  if (holder !== "stale") throw busy(path, holder);
  // Two processes may find the same dead lock; only the one that creates this file may replace it.
  const takeover = `${path}.takeover`;
  if (!(await createLock(takeover))) {
    const ageMs = await fileAgeMs(takeover, now);
    if (ageMs !== undefined && ageMs > takeoverStaleMs) await rm(takeover, { force: true });
    throw busy(path, undefined);
  }
  try {
    const again = await staleHolder(path, now);
    if (again !== "stale") throw busy(path, again);
    await rm(path, { force: true });
    if (!(await createLock(path))) throw busy(path, undefined);
  } finally {
    await rm(takeover, { force: true });
  }
}

async function createLock(path: string): Promise<boolean> {
  try {
    const handle = await open(path, "wx", 0o600);
    await handle.writeFile(JSON.stringify(thisProcess()));
    await handle.close();
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** The live holder of the lock, `undefined` for a live one that cannot be named, or `"stale"`. */
async function staleHolder(path: string, now: () => number): Promise<LockHolder | undefined | "stale"> {
  const holder = await readHolder(path);
  const ageMs = await fileAgeMs(path, now);
  if (ageMs === undefined) return "stale";
  // Empty or garbled: being written right now, or its writer died while at it.
  if (holder === undefined) return ageMs > takeoverStaleMs ? "stale" : undefined;
  if (holder.host !== hostname()) return ageMs > foreignStaleMs ? "stale" : holder;
  if (holder.pid === process.pid) {
    // Not in `heldHere`, so an earlier process had the same number, as the first one in every container does.
    return "stale";
  }
  if (!isRunning(holder.pid)) return "stale";
  const start = processStart(holder.pid);
  return start !== null && holder.processStart !== null && start !== holder.processStart ? "stale" : holder;
}

async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, host, processStart: start } = value as Record<string, unknown>;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid <= 0 || typeof host !== "string")
      return undefined;
    return { pid, host, processStart: typeof start === "string" ? start : null };
  } catch {
    return undefined;
  }
}

function thisProcess(): LockHolder {
  return { pid: process.pid, host: hostname(), processStart: processStart(process.pid) };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== "ESRCH";
  }
}

/** When the process began, in ticks since boot (proc(5), field 22 of `stat`); tells reused numbers apart. */
function processStart(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch {
    return null;
  }
}

async function fileAgeMs(path: string, now: () => number): Promise<number | undefined> {
  try {
    return now() - (await stat(path)).mtimeMs;
  } catch {
    return undefined;
  }
}

function busy(path: string, holder: LockHolder | undefined): PullStop {
  const who = holder === undefined ? "another process" : `process ${holder.pid} on ${holder.host}`;
  const model = basename(path, ".lock");
  return new PullStop(
    "in_progress",
    `${model} is being pulled by ${who}. Wait for it; if that process is gone, delete ${basename(path)} in ${dirname(path)}.`,
  );
}
