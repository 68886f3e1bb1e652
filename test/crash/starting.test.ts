/** What can keep the program from starting. Each is one line that says what to do, and exit code 1. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { makeDataDir, type Ran, runProgram, startProcess } from "../support/gateway-process.ts";
import { within } from "../support/within.ts";
import { expectWhole } from "./served.ts";

let dataDir: string;

beforeEach(() => {
  dataDir = makeDataDir();
});

afterEach(() => {
  chmodSync(dataDir, 0o700);
  rmSync(dataDir, { recursive: true, force: true });
});

const SERVE = ["serve", "--dev", "--port", "0", "--listen", "127.0.0.1:0"];

/** It ended with 1, said why on standard error, and showed neither a stack nor a key. */
function expectRefusal(ran: Ran, says: RegExp): void {
  expect({ ...ran, stdout: "" }).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(says) });
  expect(ran.stderr).toMatch(/^Error: /m);
  expect(ran.stderr).not.toMatch(/^\s+at /m);
  expect(ran.stdout).not.toContain("listening");
}

/** A port that another program listens on. */
async function takenPort(port = 0): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

describe("the database", () => {
  test("of a newer version is refused and left as it is", async () => {
    await using first = await startProcess({ dataDir });
    expect(await first.stop()).toBe(0);
    const path = join(dataDir, "parallama.db");
    {
      using database = new Database(path);
      database.run("insert into kysely_migration (name, timestamp) values ('9999-from-the-future', 'x')");
    }
    expectRefusal(await runProgram(SERVE, { dataDir }), /newer version of Parallama.*9999-from-the-future/);
    expectRefusal(await runProgram(["user", "list"], { dataDir }), /newer version of Parallama/);
    expectWhole(path);
    {
      using database = new Database(path);
      database.run("delete from kysely_migration where name = '9999-from-the-future'");
    }
    await using second = await startProcess({ dataDir });
    expect(await second.stop()).toBe(0);
  });

  test.each([
    { what: "is no database", bytes: "This is a letter to my aunt.".repeat(1_000) },
    {
      what: "has a database's head and nothing behind it",
      bytes: `SQLite format 3\0${"\xff".repeat(5_000)}`,
    },
  ])("a file that $what is refused and left as it is", async ({ bytes }) => {
    const path = join(dataDir, "parallama.db");
    writeFileSync(path, bytes, "latin1");
    expectRefusal(await runProgram(SERVE, { dataDir }), /parallama\.db/);
    expect(await Bun.file(path).bytes()).toEqual(new Uint8Array(Buffer.from(bytes, "latin1")));
  });

  test("that is a directory is refused", async () => {
    const folder = join(dataDir, "folder");
    mkdirSync(folder);
    expectRefusal(await runProgram([...SERVE, "--db", folder], { dataDir }), /cannot be/);
  });

  test("and its folder are the owner's alone", async () => {
    const fresh = join(dataDir, "made", "here");
    await using gateway = await startProcess({ dataDir: dataDir, args: ["--data-dir", fresh] });
    expect(statSync(fresh).mode & 0o777).toBe(0o700);
    for (const file of ["parallama.db", "parallama.db.lock", "parallama.sock"]) {
      expect({ file, mode: statSync(join(fresh, file)).mode & 0o777 }).toEqual({ file, mode: 0o600 });
    }
    expect(await gateway.stop()).toBe(0);
  });
});

describe("a second server", () => {
  test("on the same file is refused, and the first does not notice", async () => {
    await using first = await startProcess({ dataDir });
    expectRefusal(await runProgram(SERVE, { dataDir }), /Another Parallama process is using/);
    expect((await fetch(`${first.url}/health`)).status).toBe(200);
    // The socket is still the first one's.
    expect((await first.cli("user", "list")).exitCode).toBe(0);
    expect(await first.stop()).toBe(0);
    expect(existsSync(join(dataDir, "parallama.sock"))).toBe(false);
  });

  test("in the same folder with a database of its own does not take the first one's socket away", async () => {
    await using first = await startProcess({ dataDir });
    const other = await runProgram([...SERVE, "--db", join(dataDir, "other.db")], { dataDir });
    expectRefusal(other, /parallama\.sock/);
    expect((await first.cli("user", "create", "zoe")).stdout).toContain("zoe");
    expect((await first.cli("user", "list")).stdout).toContain("zoe");
    expect(await first.stop()).toBe(0);
  });

  test("a command while a server runs goes through it; after it, it opens the database itself", async () => {
    await using server = await startProcess({ dataDir });
    const made = await server.cli("user", "create", "ada");
    expect(made).toMatchObject({ exitCode: 0 });
    const key = await server.cli("key", "generate", "ada");
    const secret = /pk_\w{43}/.exec(key.stdout)?.[0] ?? "";
    const asked = () =>
      fetch(`${server.url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } }).then(
        (r) => r.status,
      );
    // The server itself did it: it knows the key without a restart.
    expect(await asked()).toBe(200);
    expect(await server.stop()).toBe(0);
    expect((await runProgram(["user", "list"], { dataDir })).stdout).toContain("ada");
  });
});

describe("a port that is taken", () => {
  test("is an error", async () => {
    await using taken = await takenPort();
    const args = ["serve", "--dev", "--port", String(taken.port), "--listen", "127.0.0.1:0"];
    expectRefusal(await runProgram(args, { dataDir }), new RegExp(`Port ${taken.port} .* is taken.*--port`));
  });

  test("at the first start does not cost the keys, which are shown once", async () => {
    await using taken = await takenPort();
    const args = ["serve", "--dev", "--port", String(taken.port), "--listen", "127.0.0.1:0"];
    const { stdout } = await runProgram(args, { dataDir });
    const key = /pk_\w{43}/.exec(stdout)?.[0] ?? "";
    await using gateway = await startProcess({ dataDir });
    const models = await fetch(`${gateway.url}/v1/models`, { headers: { "x-api-key": key } });
    expect(models.status).toBe(200);
  });

  test("is only a warning for the further port of development mode", async () => {
    // If somebody else has it already, that is as good.
    await using _taken = await takenPort(8001).catch(() => undefined);
    await using gateway = await startProcess({ dataDir, listen: [] });
    expect(gateway.stderr()).toMatch(/Warning: Port 8001 .* is taken/);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  });
});

describe("a folder that this user may not write", () => {
  // Root may write everywhere, so there the program runs as somebody else.
  const isRoot = process.getuid?.() === 0;
  const prefix = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];

  /** Whether that somebody may read this code at all: not where it lies in root's own home. */
  function canBeRun(): boolean {
    const setpriv = Bun.which("setpriv") !== null;
    const probe = [process.execPath, "--eval", `await Bun.file(${JSON.stringify(import.meta.path)}).bytes()`];
    const can = !isRoot || (setpriv && Bun.spawnSync([...prefix, ...probe], { cwd: "/" }).exitCode === 0);
    if (!can && process.env["CI"] === "true")
      throw new Error("not even in CI can another user run this code");
    return can;
  }

  test.each([
    { what: "the folder", folder: "" },
    { what: "a folder to be made in it", folder: "below" },
  ])("$what", async ({ folder }) => {
    if (!canBeRun()) {
      console.log(
        "SKIPPED a folder that may not be written: this is root, and no other user can run the code",
      );
      return;
    }
    chmodSync(dataDir, 0o555);
    const ran = await runProgram([...SERVE, "--data-dir", join(dataDir, folder)], {
      dataDir,
      prefix,
      cwd: "/",
    });
    expectRefusal(ran, /(writ|made|permission)/i);
    expect(ran.stderr).toContain(dataDir);
  });
});

test("SIGTERM while it starts is heeded", async () => {
  const child = Bun.spawn(
    [
      process.execPath,
      "--no-env-file",
      join(import.meta.dir, "../../src/main.ts"),
      ...SERVE,
      "--data-dir",
      dataDir,
    ],
    { cwd: dataDir, stdout: "pipe", stderr: "pipe", env: { PATH: process.env["PATH"] ?? "", HOME: dataDir } },
  );
  // The lock is the first thing that a start leaves behind.
  while (!existsSync(join(dataDir, "parallama.db.lock"))) await Bun.sleep(1);
  child.kill("SIGTERM");
  expect(await within("the end", child.exited)).toBe(0);
  expectWhole(join(dataDir, "parallama.db"));
});
