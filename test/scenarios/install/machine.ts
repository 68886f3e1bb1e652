/** A machine with Node, npm and what every Debian has, and nothing else: no Bun, no packages, no configuration. */
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { skipReason } from "../../support/skip.ts";
import { within } from "../../support/within.ts";

export const repository: string = join(import.meta.dir, "..", "..", "..");

/** Fetching Bun and the packages takes half a minute, and much longer on a slow line. */
export const installMs = 300_000;

/** From Debian's essential packages, but for the last line. */
const TOOLS = [
  ..."sh bash env cat cp ln ls mkdir mv rm chmod dirname basename readlink uname sed grep tr head cmp".split(
    " ",
  ),
  ..."gzip tar".split(" "),
  ..."node npm curl".split(" "),
];

/** Why installing is not tested; undefined where it is. */
export async function installSkipReason(): Promise<string | undefined> {
  // Asked for what will be installed: not every registry answers a ping.
  const asking = Bun.spawn(["npm", "view", "bun", "version"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const answered = await Promise.race([asking.exited.then((code) => code === 0), Bun.sleep(60_000)]);
  asking.kill();
  return skipReason(
    "host unreachable",
    answered === true ? undefined : "npm's registry is not reachable, so nothing can be installed",
  );
}

export interface Machine extends AsyncDisposable {
  /** A folder of its own, removed at the end. */
  readonly folder: string;
  /** The environment of somebody who has just logged in. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command to its end. Throws with everything that it printed if it fails. */
  run(command: readonly string[], cwd: string, env?: Readonly<Record<string, string>>): Promise<string>;
  /** Starts a server, and waits for the text that it greets with. */
  start(
    command: readonly string[],
    cwd: string,
    env?: Readonly<Record<string, string>>,
  ): Promise<StartedServer>;
}

export interface StartedServer {
  /** What it printed until it was ready. */
  readonly text: string;
  readonly url: string;
  readonly startedMs: number;
  /** Resolves when it has gone, and whoever it started. */
  stop(): Promise<void>;
}

export function newMachine(): Machine {
  const folder = mkdtempSync(join(tmpdir(), "parallama-install-"));
  // Another user must come in, too.
  chmodSync(folder, 0o755);
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const tool of TOOLS) {
    const found = Bun.which(tool);
    if (found === null) throw new Error(`${tool} is not on this machine`);
    symlinkSync(found, join(bin, tool));
  }
  // No Ollama of this machine joins in.
  const env = { ...loginEnvironment(), PATH: bin, OLLAMA_BASE_URL: "http://127.0.0.1:9" };
  const servers: StartedServer[] = [];
  return {
    folder,
    env,
    run: (command, cwd, more = {}) => run(command, cwd, { ...env, ...more }),
    async start(command, cwd, more = {}) {
      const server = await start(command, cwd, { ...env, ...more });
      servers.push(server);
      return server;
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** This machine's environment (how it reaches npm's registry is in there) without what is about us or our caller. */
function loginEnvironment(): Record<string, string> {
  const ours = /^(PARALLAMA|OPENAI|ANTHROPIC|OLLAMA|BUN|NODE_ENV$|INIT_CWD$|CI$)/;
  const registry = /^npm_config_(registry|cache|cafile|proxy|https_proxy|noproxy|userconfig|globalconfig)$/;
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    const wanted = name.startsWith("npm_") ? registry.test(name) : !ours.test(name);
    if (wanted && value !== undefined) settings[name] = value;
  }
  return settings;
}

/** The working tree as a clone of it would be: what git knows of, and what it would be told of. */
export async function cloneTo(target: string): Promise<void> {
  const list = Bun.spawnSync(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: repository,
  });
  if (list.exitCode !== 0) throw new Error(`git ls-files: ${list.stderr.toString()}`);
  for (const file of list.stdout.toString().split("\0")) {
    const source = join(repository, file);
    // Listed and deleted, or a folder that is another repository: not part of a clone.
    if (file === "" || statSync(source, { throwIfNoEntry: false })?.isFile() !== true) continue;
    mkdirSync(dirname(join(target, file)), { recursive: true });
    copyFileSync(source, join(target, file));
  }
}

async function run(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = Bun.spawn([...command], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const all = Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  try {
    const [stdout, stderr, exitCode] = await within(command.join(" "), all, installMs);
    if (exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${exitCode}:\n${stdout}${stderr}`);
    return stdout;
  } finally {
    child.kill();
  }
}

async function start(
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<StartedServer> {
  const startedAtMs = performance.now();
  const child = Bun.spawn([...command], { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const stderr = new Response(child.stderr).text();
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const greeting = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`${command.join(" ")} ended with ${await child.exited}:\n${await stderr}`);
      text += decoder.decode(value, { stream: true });
      // The greeting is followed by the log's line of the start.
      const url = /listening on (http:\/\/\S+)/.exec(text)?.[1];
      if (url !== undefined && /server[._ ]start/i.test(text)) return url;
    }
  };
  try {
    const url = await within(`${command.join(" ")} to listen`, greeting(), installMs);
    // What it logs from now on must not fill the pipe; it is at its end when everybody who writes to it has gone.
    const gone = drain(reader);
    const stop = async () => {
      child.kill("SIGTERM");
      await within(`${command.join(" ")} to stop`, Promise.all([child.exited, gone]));
    };
    return { text, url, startedMs: performance.now() - startedAtMs, stop };
  } catch (thrown) {
    child.kill();
    throw thrown;
  }
}

async function drain(reader: { read(): Promise<{ done: boolean }> }): Promise<void> {
  while (!(await reader.read()).done);
}
