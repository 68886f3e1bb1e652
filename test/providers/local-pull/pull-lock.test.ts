import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { modelBytes, PullSetup, path, reference, sha256Of, title } from "./pull-setup.ts";

const bytes = modelBytes(100_000);
const lockName = "tiny-q4_k_m.lock";
let setup: PullSetup;
beforeEach(async () => {
  setup = await PullSetup.start();
  setup.hub.addRepo(title, { [path]: bytes });
  await mkdir(setup.directory);
});
afterEach(() => setup.stop());

const writeLock = (holder: object) => writeFile(setup.inside(lockName), JSON.stringify(holder));

/** Pulls in a process of its own, which prints the result. */
function pullElsewhere(moreOptions: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const module = new URL("../../../src/providers/local/pull/index.ts", import.meta.url).href;
  const script = `
    const { pullModel } = await import(${JSON.stringify(module)});
    const options = { directory: ${JSON.stringify(setup.directory)}, hubUrl: ${JSON.stringify(setup.hub.hubUrl)}, ${moreOptions} };
    console.log(JSON.stringify(await pullModel(${JSON.stringify(reference)}, options)));`;
  return Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
}

test("the second pull of the same model is refused, in this process and from another", async () => {
  const now = Date.now;
  const controller = new AbortController();
  setup.hub.fail("content", { kind: "stall", afterBytes: 1000 });
  const { promise: started, resolve } = Promise.withResolvers<void>();
  const first = setup.pull(reference, {
    signal: controller.signal,
    onProgress: (progress) => progress.phase === "download" && resolve(),
  });
  await started;
  const error = await setup.refused(reference, { now });
  expect(error.kind).toBe("in_progress");
  expect(error.message).toContain(`process ${process.pid}`);

  const other = pullElsewhere("");
  const answer: unknown = JSON.parse(await new Response(other.stdout).text());
  expect(answer).toMatchObject({ ok: false, error: { kind: "in_progress" } });

  controller.abort();
  await first;
  expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
  expect(await readdir(setup.directory)).not.toContain(lockName);
});

test("the lock of a process that is gone is taken over", async () => {
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  await writeLock({ pid: gone.pid, host: hostname(), processStart: null });
  expect((await setup.pulled(reference, { now: Date.now })).sha256).toBe(sha256Of(bytes));
});

test("so is one of an earlier process with the number of a running one", async () => {
  await writeLock({ pid: process.pid, host: hostname(), processStart: null });
  await setup.pulled(reference, { now: Date.now });
  await writeLock({ pid: process.ppid, host: hostname(), processStart: "1" });
  await setup.pulled(reference, { now: Date.now, force: true });
});

test("the lock of a running process stands, whatever its age", async () => {
  await writeLock({ pid: process.ppid, host: hostname(), processStart: null });
  await utimes(setup.inside(lockName), 0, 0);
  expect((await setup.refused(reference, { now: Date.now })).kind).toBe("in_progress");
});

test("the lock of another host stands while it is fresh", async () => {
  await writeLock({ pid: 1, host: "another-container", processStart: null });
  const error = await setup.refused(reference, { now: Date.now });
  expect(error.kind).toBe("in_progress");
  expect(error.message).toContain("another-container");
  await utimes(setup.inside(lockName), 0, 0);
  await setup.pulled(reference, { now: Date.now });
});

test("an unreadable lock is taken for one being written, until it is old", async () => {
  await writeFile(setup.inside(lockName), "");
  expect((await setup.refused(reference, { now: Date.now })).kind).toBe("in_progress");
  await utimes(setup.inside(lockName), 0, 0);
  await setup.pulled(reference, { now: Date.now });
});

test("only one of many takes a dead lock over", async () => {
  await writeLock({ pid: 1, host: "another-container", processStart: null });
  await utimes(setup.inside(lockName), 0, 0);
  await writeFile(setup.inside(`${lockName}.takeover`), "");
  expect((await setup.refused(reference, { now: Date.now })).kind).toBe("in_progress");
  await utimes(setup.inside(`${lockName}.takeover`), 0, 0);
  await setup.refused(reference, { now: Date.now });
  await setup.pulled(reference, { now: Date.now });
});

test("a killed process leaves what the next pull continues, lock and all", async () => {
  setup.hub.fail("content", { kind: "stall", afterBytes: 60_000 });
  const victim = pullElsewhere(`
    freeBytes: async () => 1e12,
    now: () => (globalThis.clock = (globalThis.clock ?? 0) + 1000),
    onProgress: (progress) => progress.receivedBytes === 60_000 && console.log("received"),`);
  for await (const _ of victim.stdout) break;
  victim.kill("SIGKILL");
  await victim.exited;
  expect((await readdir(setup.directory)).sort()).toEqual([
    "tiny-q4_k_m.gguf.partial",
    "tiny-q4_k_m.gguf.partial.json",
    lockName,
  ]);
  expect((await setup.pulled(reference, { now: Date.now })).sha256).toBe(sha256Of(bytes));
  expect(setup.hub.requestsOf("content").at(-1)?.headers.range).toBe("bytes=60000-");
});
