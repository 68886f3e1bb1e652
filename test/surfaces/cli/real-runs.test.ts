import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { takeLock } from "../../../src/storage/lock.ts";
import { COMMAND_SOCKET } from "../../../src/surfaces/command-socket.ts";

// The program itself, as a user starts it, on a directory of its own.

const PROGRAM = resolve(import.meta.dir, "../../../bin/parallama");
const WAIT_MS = 20_000;

let cwd = "";
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "parallama-real-"));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function start(args: readonly string[], input?: string) {
  const { PATH = "", HOME = "" } = process.env;
  const stdin = input === undefined ? "ignore" : new Blob([input]);
  return Bun.spawn([PROGRAM, ...args], { cwd, env: { PATH, HOME }, stdin, stdout: "pipe", stderr: "pipe" });
}

async function parallama(commandLine: string, input?: string) {
  const child = start(commandLine.split(" "), input);
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, exitCode };
}

test(
  "what only reads makes no database, and says how to get one",
  async () => {
    const lines = [
      "user list",
      "user info a",
      "key list",
      "usage show a",
      "model list",
      "price list",
      "db info",
    ];
    for (const ran of await Promise.all(lines.map((line) => parallama(`${line} --data-dir none`)))) {
      expect(ran).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: `Error: There is no database at ${cwd}/none/parallama.db. Start the server (npm start, or parallama serve), or make the first user: parallama user create <name>\n`,
      });
    }
    expect(existsSync(join(cwd, "none"))).toBe(false);
  },
  WAIT_MS,
);

test(
  "without a server: a user, a key, and the key revoked",
  async () => {
    const created = await parallama("user create alice --name Alice");
    expect(created).toMatchObject({
      exitCode: 0,
      stderr: `Making a new database: ${cwd}/data/parallama.db\n`,
    });
    expect(created.stdout).toStartWith("User 'alice' created successfully\n");
    expect(statSync(join(cwd, "data")).mode & 0o777).toBe(0o700);

    const twice = await parallama("user create alice");
    expect(twice).toEqual({ exitCode: 1, stdout: "", stderr: "Error: User 'alice' already exists\n" });

    const generated = await parallama("key generate alice --json");
    const { key, secret } = JSON.parse(generated.stdout);
    const listed = await parallama("key list --username alice");
    expect(listed.stdout).toContain(`pk_…${secret.slice(-4)}`);
    expect(listed.stdout).not.toContain(secret);

    const revoked = await parallama("key revoke -", `${secret}\n`);
    expect(revoked).toEqual({ exitCode: 0, stdout: `API key ${key.id} revoked successfully\n`, stderr: "" });
    const after = await parallama("key list --json");
    expect(JSON.parse(after.stdout).keys[0].state).toBe("revoked");
  },
  WAIT_MS,
);

test(
  "while another process has the database, a command says so",
  async () => {
    await parallama("user create carol");
    const lock = takeLock(join(cwd, "data", "parallama.db"));
    expect(lock).toBeDefined();
    const ran = await parallama("user list");
    lock?.release();
    expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
    expect(ran.stderr).toContain("Another Parallama process is using");
  },
  WAIT_MS,
);

test(
  "a reader that has seen enough does no harm",
  async () => {
    const child = start(["price", "list", "--json"]);
    const reader = child.stdout.getReader();
    await reader.read();
    await reader.cancel();
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stderr).text()).toBe("");
  },
  WAIT_MS,
);

test(
  "while a server runs, it does what commands ask, over its socket",
  async () => {
    const server = start(["serve", "--host", "127.0.0.1", "--port", "0"]);
    const socket = join(cwd, "data", COMMAND_SOCKET);
    try {
      while (!existsSync(socket) && server.exitCode === null) await Bun.sleep(20);
      const created = await parallama("user create bob");
      expect(created).toMatchObject({ exitCode: 0, stderr: "" });
      const config = await parallama("config show");
      expect(config.stdout).toStartWith("# Of the running server.");
      expect(config.stdout).toMatch(
        /host: "127\.0\.0\.1" +# the server's own; here "0\.0\.0\.0" \(default\)/,
      );
      const second = await parallama("serve --host 127.0.0.1 --port 0");
      expect(second).toMatchObject({ exitCode: 1 });
      expect(second.stderr).toContain("Another Parallama process is using");
    } finally {
      server.kill("SIGTERM");
    }
    expect(await server.exited).toBe(0);
    expect((await parallama("user list")).stdout).toContain("bob");
  },
  WAIT_MS,
);

test(
  "what a new server says to type works where it was started, as it stands",
  async () => {
    const args = ["--config", "its own.yaml", "--data-dir", "./its data"];
    await Bun.write(join(cwd, "its own.yaml"), "logging: {level: warning}\n");
    const server = start(["serve", "--host", "127.0.0.1", "--port", "0", ...args]);
    let said = "";
    for await (const bytes of server.stdout) {
      said += new TextDecoder().decode(bytes);
      if (said.includes("key generate")) break;
    }
    const hints = said.split("\n").filter((line) => / (?:user create|key generate) /.test(line));
    expect(hints).toHaveLength(2);
    try {
      for (const hint of hints) {
        const env = { PATH: process.env.PATH ?? "", HOME: cwd };
        const child = Bun.spawn(["sh", "-c", hint], { cwd, env, stdout: "pipe", stderr: "pipe" });
        expect(await new Response(child.stderr).text()).toBe("");
        expect(await child.exited).toBe(0);
      }
    } finally {
      server.kill("SIGTERM");
    }
    expect(await server.exited).toBe(0);
  },
  WAIT_MS,
);
