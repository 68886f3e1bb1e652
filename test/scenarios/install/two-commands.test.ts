import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { property } from "../../support/json-access.ts";
import {
  cloneTo,
  installMs,
  installSkipReason,
  type Machine,
  newMachine,
  type StartedServer,
} from "./machine.ts";

/** README: from a fresh clone, on a machine that has Node and npm, it is `npm start` and the curl that it prints. */

const skip = await installSkipReason();
// Port 0: another program may have the one of the README.
const npmStart = ["npm", "start", "--", "--port", "0"];

describe.skipIf(skip !== undefined)("two commands from a fresh clone", () => {
  let machine: Machine;
  let clone: string;
  let first: StartedServer;

  beforeAll(async () => {
    machine = newMachine();
    clone = join(machine.folder, "clone");
    await cloneTo(clone);
    first = await machine.start(npmStart, clone);
    console.info(`first start from a fresh clone: ${(first.startedMs / 1000).toFixed(1)} s`);
  }, installMs);
  afterAll(async () => await machine[Symbol.asyncDispose]());

  const keysIn = (text: string) => text.match(/\b[ap]k_\w+/g) ?? [];

  test("the curl that it prints is answered by a model", async () => {
    const [command] = /^ {2}curl [\s\S]*?Hello![^\n]*$/m.exec(first.text) ?? [];
    if (command === undefined) throw new Error(`no curl in:\n${first.text}`);
    const answer: unknown = JSON.parse(await machine.run(["sh", "-c", command], machine.folder));
    expect(answer).toMatchObject({
      object: "chat.completion",
      model: "parallama-demo",
      choices: [{ message: { role: "assistant", content: expect.stringMatching(/\S/) } }],
    });
  });

  test("the usage command that it prints knows of it", async () => {
    const [command] = /bin\/parallama usage show \S+/.exec(first.text) ?? [];
    const shown = await machine.run(["sh", "-c", `${command}`], clone);
    expect(shown).toContain("parallama-demo");
  });

  test("nobody else can read what it keeps, and it keeps no key", () => {
    const data = join(clone, "data");
    const inside = readdirSync(data, { recursive: true, encoding: "utf8" });
    expect(lstatSync(data).mode & 0o777).toBe(0o700);
    expect(inside).toContain("parallama.db");
    const keys = keysIn(first.text).map((key) => key.slice(3));
    expect(keys.length).toBeGreaterThanOrEqual(2);
    for (const name of inside) {
      const stats = lstatSync(join(data, name));
      expect([name, stats.mode & 0o077]).toEqual([name, 0]);
      if (stats.isFile()) expect([name, stats.mode & 0o777]).toEqual([name, 0o600]);
      const text = stats.isFile() ? readFileSync(join(data, name), "latin1") : "";
      for (const key of keys) expect([name, text.includes(key)]).toEqual([name, false]);
    }
  });

  test("it ends with npm: a signal to npm once ended a shell and left the gateway running", async () => {
    await first.stop();
    expect(existsSync(join(clone, "data", "parallama.sock"))).toBe(false);
  });

  test("the second start is quick, shows no key again, and the first ones still count", async () => {
    const second = await machine.start(npmStart, clone);
    console.info(`second start: ${(second.startedMs / 1000).toFixed(1)} s`);
    expect(keysIn(second.text)).toEqual([]);
    expect(second.text).not.toContain("setup:");
    const key = keysIn(first.text).find((candidate) => candidate.startsWith("pk_")) ?? "";
    const url = `${second.url}/v1/models`;
    const listed = await machine.run(["curl", "-sS", "-H", `x-api-key: ${key}`, url], machine.folder);
    expect(property(JSON.parse(listed), "object")).toBe("list");
    await second.stop();
  });

  test("bin/parallama works through links from elsewhere", async () => {
    const elsewhere = join(machine.folder, "elsewhere");
    mkdirSync(join(elsewhere, "bin"), { recursive: true });
    symlinkSync(join(clone, "bin", "parallama"), join(elsewhere, "absolute"));
    symlinkSync("../absolute", join(elsewhere, "bin", "relative"));
    const version = (path: string) => machine.run([path, "--version"], machine.folder);
    expect(await version(join(elsewhere, "bin", "relative"))).toMatch(/^\S*\d+\.\d+\.\d+/);
  });
});
