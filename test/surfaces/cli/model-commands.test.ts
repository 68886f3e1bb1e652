import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PullOptions, PullResult } from "../../../src/providers/local/pull/index.ts";
import { refused, run } from "./support.ts";

let cwd = "";
let modelsDir = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "parallama-models-"));
  modelsDir = join(cwd, "data", "models");
  mkdirSync(modelsDir, { recursive: true });
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

/** A pull that reports its progress and brings `tiny.gguf`. */
async function pullModel(_: string, options: PullOptions): Promise<PullResult> {
  const step = { totalBytes: 1000, bytesPerSecond: 10, file: "tiny.gguf" };
  options.onProgress?.({ ...step, phase: "resolve", receivedBytes: 0, file: "hf:o/r" });
  for (let receivedBytes = 0; receivedBytes <= 1000; receivedBytes += 50) {
    options.onProgress?.({ ...step, phase: "download", receivedBytes });
  }
  options.onProgress?.({ ...step, phase: "done", receivedBytes: 1000 });
  const file = { fileName: "tiny.gguf", sizeBytes: 1000, sha256: "0".repeat(64) };
  const path = join(options.directory, "tiny.gguf");
  const common = {
    sizeBytes: 1000,
    sha256: file.sha256,
    source: "hf:o/r",
    files: [file],
    alreadyThere: false,
  };
  return { ok: true, model: { ...common, path, name: options.name ?? "tiny", license: "apache-2.0" } };
}

describe("model pull", () => {
  const operations = { "models.add": { id: 4, name: "tiny" } };

  test("downloads, names the model and says how to call it", async () => {
    const ran = await run("model pull hf:o/r", { cwd, operations, services: { pullModel } });
    expect(ran.exitCode).toBe(0);
    expect(ran.calls).toEqual([
      {
        name: "models.add",
        input: { name: "tiny", provider: "local", model: "tiny.gguf", origin: "pull", replace: true },
      },
    ]);
    expect(ran.stdout).toContain(`Pulled: ${join(modelsDir, "tiny.gguf")} (1.0 kB, licence apache-2.0)`);
    expect(ran.stdout).toContain("Model 'tiny' is ready (id 4)");
    expect(ran.stdout).toContain("curl http://127.0.0.1:8000/v1/chat/completions");
  });

  test("shows its progress on standard error: lines where there is no terminal", async () => {
    const ran = await run("model pull hf:o/r --json", { cwd, operations, services: { pullModel } });
    expect(JSON.parse(ran.stdout)).toEqual({ id: 4, name: "tiny" });
    const lines = ran.stderr.trimEnd().split("\n");
    expect(lines[0]).toBe("hf:o/r: looking up");
    expect(lines).toContain("tiny.gguf: 50% of 1.0 kB");
    expect(lines.at(-1)).toBe("tiny.gguf: done, 1.0 kB");
    expect(lines.length).toBeLessThan(15);
  });

  test("and one moving line on a terminal", async () => {
    const ran = await run("model pull hf:o/r", { cwd, operations, columns: 60, services: { pullModel } });
    expect(ran.stderr.match(/\n/g)).toHaveLength(1);
    for (const line of ran.stderr.split("\r")) expect(Bun.stringWidth(line)).toBeLessThan(60);
  });

  test("hands its options over", async () => {
    let seen: PullOptions | undefined;
    const noting = (reference: string, options: PullOptions) => {
      seen = options;
      return pullModel(reference, options);
    };
    const line = `model pull hf:o/r --name n --force --sha256 ${"a".repeat(64)}`;
    await run(line, { cwd, operations, services: { pullModel: noting }, env: { HF_TOKEN: "hf_abc" } });
    expect(seen).toMatchObject({
      directory: modelsDir,
      name: "n",
      force: true,
      sha256: "a".repeat(64),
      token: "hf_abc",
    });
  });

  test("stopped with Ctrl-C says that it can go on", async () => {
    const cancelled = async (): Promise<PullResult> => ({
      ok: false,
      error: { kind: "cancelled", message: "-" },
    });
    const ran = await run("model pull hf:o/r", { cwd, operations, services: { pullModel: cancelled } });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "", calls: [] });
    expect(ran.stderr).toBe(
      "Error: Stopped. What has been downloaded is kept; the same command continues there\n",
    );
  });

  test("that cannot name the model says where the file is", async () => {
    const given = {
      cwd,
      operations: { "models.add": refused("the lock is taken") },
      services: { pullModel },
    };
    const ran = await run("model pull hf:o/r", given);
    expect(ran.exitCode).toBe(1);
    expect(ran.stderr).toContain("tiny.gguf is complete, but could not be named: the lock is taken");
  });

  test("is refused for another machine", async () => {
    const ran = await run("model pull hf:o/r --url http://h", { cwd, services: { pullModel } });
    expect(ran).toMatchObject({ exitCode: 2, calls: [] });
  });
});

describe("model remove --delete-file", () => {
  const removed = (model: string) => ({ id: 4, name: "m", targets: [{ provider: "local", model }] });
  const operations = { "models.remove": removed("m.gguf"), "models.list": { models: [] } };
  const put = (...names: string[]) => {
    for (const name of names) writeFileSync(join(modelsDir, name), "12345");
  };

  test("deletes the file and its receipt, and nothing else", async () => {
    put("m.gguf", "m.json", "m2.gguf", "m-00001-of-00002.gguf");
    const ran = await run("model remove m --delete-file --yes", { cwd, operations });
    expect(ran.exitCode).toBe(0);
    expect(ran.stdout).toBe("Model 'm' removed successfully\nDeleted m.gguf (10 B)\n");
    expect(readdirSync(modelsDir).sort()).toEqual(["m-00001-of-00002.gguf", "m2.gguf"]);
  });

  test("deletes every part of a split model", async () => {
    put("m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "m.json", "m.gguf", "n-00001-of-00002.gguf");
    const split = { ...operations, "models.remove": removed("m-00001-of-00002.gguf") };
    await run("model remove m --delete-file --yes", { cwd, operations: split });
    expect(readdirSync(modelsDir).sort()).toEqual(["m.gguf", "n-00001-of-00002.gguf"]);
  });

  test("keeps what another model needs", async () => {
    put("m.gguf");
    const target = { provider: "local", model: "m.gguf" };
    const other = { id: 5, name: "twin", aliases: [], targets: [target], unavailable: null };
    const listed = { ...other, id: null, name: "m" };
    const shared = { ...operations, "models.list": { models: [other, listed] } };
    const ran = await run("model remove m --delete-file --yes", { cwd, operations: shared });
    expect(ran.stdout).toContain("Kept m.gguf: 'twin' needs it");
    expect(existsSync(join(modelsDir, "m.gguf"))).toBe(true);
  });

  test.each(["../../outside.gguf", "/etc/passwd", "sub/../../x.gguf"])(
    "does not reach '%s'",
    async (model) => {
      writeFileSync(join(cwd, "outside.gguf"), "");
      const strange = { ...operations, "models.remove": removed(model) };
      const ran = await run("model remove m --delete-file --yes", { cwd, operations: strange });
      expect(ran.exitCode).toBe(0);
      expect(ran.stdout).not.toContain("Deleted");
      expect(existsSync(join(cwd, "outside.gguf"))).toBe(true);
    },
  );

  test("asks on a terminal, and is refused for another machine", async () => {
    const asked = await run("model remove m --delete-file", { cwd, operations, columns: 80, input: ["n"] });
    expect(asked.stderr).toStartWith("Remove model 'm' and delete its file? [y/N] ");
    expect(asked.calls).toEqual([]);
    expect(await run("model remove m --delete-file --url http://h", { cwd })).toMatchObject({
      exitCode: 2,
      calls: [],
    });
  });
});

test("without --delete-file, the file stays and that is said", async () => {
  const target = { provider: "local", model: "m.gguf" };
  const operations = { "models.remove": { id: 4, name: "m", targets: [target] } };
  const ran = await run("model remove m", { cwd, operations });
  expect(ran.stdout).toBe("Model 'm' removed successfully\n");
  expect(ran.stderr).toContain("Its file stays");
});

test("price import reads a file, from standard input too, and knows its format", async () => {
  const output = {
    imported: 2,
    unchanged: 1,
    skipped: [{ model: "openai/x", reason: "its price was set by hand" }],
    skippedCount: 5,
    source: "list 2026",
  };
  const operations = { "prices.import": output };
  writeFileSync(join(cwd, "list.json"), '{"m": {"litellm_provider": "openai"}}');
  const ran = await run("price import list.json --provider openai --dry-run", { cwd, operations });
  expect(ran.calls[0]?.input).toEqual({
    format: "litellm",
    text: '{"m": {"litellm_provider": "openai"}}',
    provider: "openai",
    replaceManual: false,
    dryRun: true,
  });
  expect(ran.stdout).toContain("2 prices would be imported from list 2026; 1 unchanged, 5 skipped");
  expect(ran.stdout).toContain("and 4 more");
  const piped = await run("price import -", { cwd, operations, input: ["{", "}"] });
  expect(piped.calls[0]?.input).toMatchObject({ format: "parallama", text: "{\n}" });
  const missing = await run("price import none.json", { cwd, operations });
  expect(missing).toMatchObject({ exitCode: 1, stderr: "Error: There is no file 'none.json'\n", calls: [] });
});
