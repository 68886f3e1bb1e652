// Starts what a round needs, on its core, with its output kept for the day it does not come up.
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type Running = { pid: number; log: () => string; stop: () => Promise<void> };
type Options = { cores: string; env?: Record<string, string>; cwd?: string; folder: string; name: string };

const folders = new Set<string>();

export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "relay-bench-"));
  folders.add(path);
  return path;
}

/** A port nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

const running = new Set<Running>();

/** Stops everything that was started and removes what it wrote, in whatever way the benchmark ends. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
  for (const path of folders) rmSync(path, { recursive: true, force: true });
}

export function startProcess(command: string[], options: Options): Running {
  const log = join(options.folder, `${options.name}.log`);
  const output = openSync(log, "w");
  const pinned = options.cores === "" ? [] : ["taskset", "-c", options.cores];
  // The shell raises the limit of open files to what is allowed and then becomes the command: same pid.
  const raised = ["sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh", ...pinned, ...command];
  const child = Bun.spawn(raised, {
    stdin: "ignore",
    stdout: output,
    stderr: output,
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
  });
  const handle: Running = {
    pid: child.pid,
    log: () => readFileSync(log, "utf8").slice(-4000),
    stop: async () => {
      running.delete(handle);
      child.kill("SIGTERM");
      const killer = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await child.exited;
      clearTimeout(killer);
    },
  };
  running.add(handle);
  return handle;
}

/** Waits until the address answers anything at all; a start that fails shows what the process printed. */
export async function waitForAnswer(url: string, child: Running, name: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    try {
      await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).arrayBuffer();
      return;
    } catch {
      await Bun.sleep(50);
    }
    try {
      process.kill(child.pid, 0);
    } catch {
      break;
    }
  }
  throw new Error(`${name} did not come up at ${url}. What it printed:\n${child.log()}`);
}

/** Runs a command to its end; its failure is the benchmark's, with everything it printed. */
export function run(
  command: string[],
  options: { cwd?: string; env?: Record<string, string>; input?: string },
): string {
  const result = Bun.spawnSync(command, {
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
    cwd: options.cwd ?? process.cwd(),
    env: { ...process.env, ...options.env },
  });
  if (result.exitCode !== 0) {
    throw new Error(`${command.join(" ")} failed (${result.exitCode}):\n${result.stdout}${result.stderr}`);
  }
  return String(result.stdout);
}
