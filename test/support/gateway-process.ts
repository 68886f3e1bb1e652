/** The real program as a child process: started, watched, signalled and killed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { within } from "./within.ts";

const ROOT = join(import.meta.dir, "../..");
const MAIN = join(ROOT, "src/main.ts");

export interface ProgramOptions {
  /** The text of parallama.yaml in the data directory. */
  readonly yaml?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Keep this folder (a restart on the same data); otherwise one is made, and removed at the end. */
  readonly dataDir?: string;
  /** Where it runs; the data directory, if not given. */
  readonly cwd?: string;
  /** What stands before the program on the command line: `setpriv ...`, or a shell that sets a limit. */
  readonly prefix?: readonly string[];
}

export interface ServerOptions extends ProgramOptions {
  /** Default: true. */
  readonly dev?: boolean;
  readonly args?: readonly string[];
  /** Further addresses. Default: one on a free port, since development mode would take 8001. */
  readonly listen?: readonly string[];
}

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `parallama serve`. */
export interface GatewayProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly dataDir: string;
  readonly databasePath: string;
  /** Shown at the first start only; empty otherwise. */
  readonly userKey: string;
  readonly adminKey: string;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** The lines of its log. */
  events(): readonly Readonly<Record<string, unknown>>[];
  /** Waits for a line of its log. */
  event(name: string): Promise<Readonly<Record<string, unknown>>>;
  signal(name: NodeJS.Signals): void;
  /** Sends a signal and waits for the end. */
  stop(name?: NodeJS.Signals): Promise<number>;
  /** Resolves with the exit code when it has ended, however that came about; 128 + n for signal n. */
  readonly exited: Promise<number>;
  /** Resident memory in bytes. */
  memory(): number;
  /** Runs a command of the program in the same place. */
  cli(...args: string[]): Promise<Ran>;
}

/** Runs a command of the program to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<Ran> {
  const dataDir = options.dataDir ?? makeDataDir();
  const place = args.includes("--data-dir") ? [] : ["--data-dir", dataDir];
  const child = spawn([...args, ...place], dataDir, options);
  try {
    const exitCode = await within(`the end of parallama ${args.join(" ")}`, child.process.exited, 60_000);
    await child.read;
    return { exitCode, stdout: child.stdout(), stderr: child.stderr() };
  } finally {
    child.process.kill("SIGKILL");
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Starts the server on a free port and waits until it listens. Throws with what it said when it ends before. */
export async function startProcess(options: ServerOptions = {}): Promise<GatewayProcess> {
  const dataDir = options.dataDir ?? makeDataDir();
  const yamlPath = join(dataDir, "parallama.yaml");
  if (options.yaml !== undefined) writeFileSync(yamlPath, options.yaml);
  const args = [
    "serve",
    ...((options.dev ?? true) ? ["--dev"] : ["--host", "127.0.0.1"]),
    ...["--port", "0", "--log-format", "json", "--data-dir", dataDir],
    ...(options.listen ?? ["127.0.0.1:0"]).flatMap((address) => ["--listen", address]),
    ...(options.yaml === undefined ? [] : ["--config", yamlPath]),
    ...(options.args ?? []),
  ];
  const child = spawn(args, dataDir, options);
  const url = await child.when(
    "the server to listen",
    () => /listening on (http:\S+)/.exec(child.stdout())?.[1],
  );
  // The text that has the keys is written at once.
  const keyOf = (pattern: RegExp) => pattern.exec(child.stdout())?.[1] ?? "";
  const server: GatewayProcess = {
    pid: child.process.pid,
    url,
    dataDir,
    databasePath: join(dataDir, "parallama.db"),
    userKey: keyOf(/user '\S+' +(pk_\w+)/),
    adminKey: keyOf(/administrator +(ak_\w+)/),
    stdout: child.stdout,
    stderr: child.stderr,
    events: () => eventsIn(child.stdout()),
    event: (name) =>
      child.when(`the event ${name}`, () => eventsIn(child.stdout()).find((line) => line.event === name)),
    signal: (name) => child.process.kill(name),
    async stop(name = "SIGTERM") {
      child.process.kill(name);
      const code = await within(`the end after ${name}`, child.process.exited, 60_000);
      await child.read;
      return code;
    },
    exited: child.process.exited,
    memory: () => residentBytes(child.process.pid),
    cli: (...words) =>
      runProgram(words, {
        dataDir,
        ...(options.env === undefined ? {} : { env: options.env }),
        ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
      }),
    async [Symbol.asyncDispose]() {
      child.process.kill("SIGKILL");
      await child.process.exited;
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return server;
}

export function makeDataDir(): string {
  return mkdtempSync(join(tmpdir(), "parallama-process-"));
}

function spawn(args: readonly string[], home: string, options: ProgramOptions) {
  const { env = {}, prefix = [] } = options;
  const child = Bun.spawn([...prefix, process.execPath, "--no-env-file", MAIN, ...args], {
    cwd: options.cwd ?? home,
    // As the launcher sets it. Ollama at a closed port, so that one on this machine does not join in.
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      BUN_CONFIG_MAX_HTTP_REQUESTS: "65336",
      OLLAMA_BASE_URL: "http://127.0.0.1:9",
      UPSTREAM_KEY: "upstream-key",
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let changed = Promise.withResolvers<void>();
  const gather = (stream: ReadableStream<Uint8Array>) => {
    const seen = { text: "" };
    const decoder = new TextDecoder();
    const read = (async () => {
      for await (const bytes of stream) {
        seen.text += decoder.decode(bytes, { stream: true });
        changed.resolve();
        changed = Promise.withResolvers<void>();
      }
    })();
    return { seen, read };
  };
  const out = gather(child.stdout);
  const err = gather(child.stderr);
  const read = Promise.all([out.read, err.read]);
  const stdout = () => out.seen.text;
  const stderr = () => err.seen.text;
  return {
    process: child,
    stdout,
    stderr,
    read,
    /** Waits until what was written has an answer; throws when the process ends before. */
    async when<T>(what: string, answer: () => T | undefined): Promise<T> {
      for (;;) {
        const next = changed.promise;
        const found = answer();
        if (found !== undefined) return found;
        const ended = read.then(() => "ended" as const);
        if (
          (await within(`${what}; so far: ${stdout()}${stderr()}`, Promise.race([next, ended]), 60_000)) !==
          "ended"
        )
          continue;
        const last = answer();
        if (last !== undefined) return last;
        throw new Error(`the program ended before ${what}: ${stdout()}${stderr()}`);
      }
    },
  };
}

function eventsIn(text: string): Readonly<Record<string, unknown>>[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith('{"time"'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return []; // the last line, half written
      }
    });
}

function residentBytes(pid: number): number {
  const kib = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(pid)])
    .stdout.toString()
    .trim();
  if (!/^\d+$/.test(kib)) throw new Error(`ps knows no memory of process ${pid}: ${kib}`);
  return Number(kib) * 1024;
}
