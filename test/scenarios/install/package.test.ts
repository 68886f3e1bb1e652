import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { property } from "../../support/json-access.ts";
import { cloneTo, installMs, installSkipReason, type Machine, newMachine, repository } from "./machine.ts";

/** The package as npm would carry it, installed for everybody on a machine. */

const skip = await installSkipReason();
const version = String(
  property(JSON.parse(readFileSync(join(repository, "package.json"), "utf8")), "version"),
);
/** "nobody" on every Linux. */
const NOBODY = 65_534;

describe.skipIf(skip !== undefined)("the package", () => {
  let machine: Machine;
  let prefix: string;
  let installed: string;
  let parallama: string;

  beforeAll(async () => {
    machine = newMachine();
    const clone = join(machine.folder, "clone");
    await cloneTo(clone);
    const packed = await machine.run(["npm", "pack", "--silent"], clone);
    prefix = join(machine.folder, "prefix");
    mkdirSync(prefix);
    // The optional packages are llama.cpp for every kind of GPU, 600 MB. No package's install script is run.
    const options = ["--global", "--prefix", prefix, "--omit=optional", "--ignore-scripts", "--no-audit"];
    await machine.run(["npm", "install", ...options, join(clone, packed.trim())], machine.folder);
    installed = join(prefix, "lib", "node_modules", "parallama");
    parallama = join(prefix, "bin", "parallama");
  }, installMs);
  afterAll(async () => await machine[Symbol.asyncDispose]());

  test("holds what runs and what is read, and nothing of the workshop", () => {
    const has = (name: string) => existsSync(join(installed, name));
    const needed = ["src/main.ts", "tools/setup.mjs", "assets/models/parallama-demo.gguf", "LICENSE"];
    expect(needed.filter((name) => !has(name))).toEqual([]);
    expect(["test", "fixtures", "bench", ".ci", "data", ".bun"].filter(has)).toEqual([]);
  });

  test(
    "runs for a user who may not write where it is: its runtime goes to the user's cache",
    async () => {
      const home = join(machine.folder, "home-of-another");
      mkdirSync(home);
      const root = process.getuid?.() === 0;
      const user = `${NOBODY}`;
      const as = root ? ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"] : [];
      if (root) chownSync(home, NOBODY, NOBODY);
      else chmodSync(installed, 0o555);
      const env = { HOME: home, XDG_CACHE_HOME: join(home, ".cache"), npm_config_cache: join(home, ".npm") };
      const setpriv = Bun.which("setpriv");
      const command = [...as.map((word) => (word === "setpriv" ? (setpriv ?? word) : word)), parallama];
      const shown = await machine.run([...command, "--version"], home, env);
      expect(shown).toContain(version);
      expect(existsSync(join(installed, ".bun"))).toBe(false);
      expect(existsSync(join(home, ".cache", "parallama", "bun"))).toBe(true);
      if (!root) chmodSync(installed, 0o755);
    },
    installMs,
  );

  test(
    "installs its runtime once, and serves",
    async () => {
      const cwd = join(machine.folder, "somewhere");
      mkdirSync(cwd);
      expect(await machine.run([parallama, "--version"], cwd)).toContain(version);
      const server = await machine.start([parallama, "serve", "--host", "127.0.0.1", "--port", "0"], cwd);
      expect(server.text).toContain("production mode");
      const health = await machine.run(["curl", "-sS", `${server.url}/health`], cwd);
      expect(JSON.parse(health)).toMatchObject({ version });
      await server.stop();
    },
    installMs,
  );
});
