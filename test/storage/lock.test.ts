import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { takeLock } from "../../src/storage/lock.ts";
import { within } from "../support/within.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parallama-lock-"));
  path = join(folder, "parallama.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a second taker is refused until the first lets go", () => {
  const first = takeLock(path);
  expect(first).toBeDefined();
  expect(takeLock(path)).toBeUndefined();
  expect(takeLock(path)).toBeUndefined();
  first?.release();
  const second = takeLock(path);
  expect(second).toBeDefined();
  second?.release();
});

test("locks of different databases have nothing to do with each other", () => {
  const locks = [takeLock(path), takeLock(join(folder, "other.db"))];
  expect(locks).not.toContain(undefined);
  for (const lock of locks) lock?.release();
});

test("the lock's file is the owner's alone", () => {
  const lock = takeLock(path);
  expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600);
  lock?.release();
});

test("a folder that is not there is an error, not a lock that somebody holds", () => {
  expect(() => takeLock(join(folder, "missing", "parallama.db"))).toThrow();
});

test("a lock whose handle nobody keeps is held all the same", async () => {
  takeLock(path);
  for (let round = 0; round < 3; round++) {
    Bun.gc(true);
    await Bun.sleep(1);
  }
  expect(takeLock(path)).toBeUndefined();
});

test("a holder that is killed lets go", async () => {
  const script = `
    const { takeLock } = await import(${JSON.stringify(new URL("../../src/storage/lock.ts", import.meta.url).href)});
    console.log(takeLock(${JSON.stringify(path)}) === undefined ? "refused" : "taken");
    setInterval(() => {}, 1_000);
  `;
  const holder = Bun.spawn([process.execPath, "--no-env-file", "-e", script], { stdout: "pipe" });
  try {
    const said = await within("the holder to take the lock", holder.stdout.getReader().read());
    expect(new TextDecoder().decode(said.value).trim()).toBe("taken");
    expect(takeLock(path)).toBeUndefined();
  } finally {
    holder.kill("SIGKILL");
  }
  await within("the holder to die", holder.exited);
  const lock = takeLock(path);
  expect(lock).toBeDefined();
  lock?.release();
});
