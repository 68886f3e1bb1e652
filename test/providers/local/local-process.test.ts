import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { LocalProcess, LocalProcessUnavailable } from "../../../src/providers/local/local-process.ts";
import { demoModelPath } from "../../support/demo-model.ts";
import { isAlive, patienceMs, temporaryDirectory, until, WorkerUnderTest } from "./support.ts";

setDefaultTimeout(patienceMs);

let worker: WorkerUnderTest | undefined;
afterEach(async () => {
  await worker?.stop();
  worker = undefined;
});

const question = { model: "m", messages: [{ role: "user", content: "Hi" }], max_tokens: 2, temperature: 0 };

describe("LocalProcess", () => {
  test("starts with the first request, once for all, on a socket that only its owner can use", async () => {
    worker = new WorkerUnderTest();
    expect(worker.process.status()).toMatchObject({ state: "idle", pid: undefined });
    await Promise.all([worker.process.ready(), worker.process.ready(), worker.process.ready()]);
    expect(worker.events.filter((event) => event.event === "ready")).toHaveLength(1);
    expect(statSync(worker.socketPath).mode & 0o777).toBe(0o600);
    expect(worker.process.status()).toMatchObject({ state: "ready", restarts: 0 });
  });

  test("comes back after kill -9, and serves and preloads again", async () => {
    worker = new WorkerUnderTest();
    const { process: supervised } = worker;
    await supervised.preload([demoModelPath()]);
    const { pid } = supervised.status();
    if (pid === undefined) throw new Error("it does not run");
    process.kill(pid, "SIGKILL");
    await until("the crash to be noticed", () => supervised.status().state !== "ready" || undefined);
    await supervised.ready();
    expect((await worker.request("/v1/chat/completions", question)).status).toBe(200);
    expect(supervised.status().pid).not.toBe(pid);
    expect(supervised.status()).toMatchObject({ restarts: 1, lastExit: { signal: "SIGKILL" } });
    await until(
      "the preload after the restart",
      async () => (await supervised.health())?.models.length === 1,
    );
    expect(worker.events.filter((event) => event.event === "model-loaded")).toHaveLength(2);
  });

  test("replaces a stale socket, and removes its own when stopped", async () => {
    worker = new WorkerUnderTest();
    const { socketPath } = worker;
    const stale = createServer();
    await new Promise<void>((resolve) => stale.listen(socketPath, resolve));
    // Closing would remove the file; a process that was killed leaves it.
    stale.unref();
    await worker.process.ready();
    expect((await worker.request("/health")).status).toBe(200);
    const { pid } = worker.process.status();
    await worker.process.stop();
    expect(existsSync(socketPath)).toBe(false);
    expect(pid !== undefined && isAlive(pid)).toBe(false);
    await expect(worker.process.ready()).rejects.toBeInstanceOf(LocalProcessUnavailable);
  });

  test("ends when the gateway is killed", async () => {
    const directory = temporaryDirectory();
    const gateway = Bun.spawn({
      cmd: [
        process.execPath,
        join(import.meta.dir, "gateway-stand-in.ts"),
        join(directory.path, "local.sock"),
      ],
      stdout: "pipe",
      stderr: "inherit",
    });
    const reader = gateway.stdout.getReader();
    const { value } = await reader.read();
    const workerPid = Number(new TextDecoder().decode(value).trim());
    expect(isAlive(workerPid)).toBe(true);
    gateway.kill("SIGKILL");
    await until("the worker to end", () => !isAlive(workerPid) || undefined);
    directory.remove();
  });

  test("passes nothing of the gateway's environment on but what it needs", async () => {
    const directory = temporaryDirectory();
    const entry = join(directory.path, "entry.ts");
    const report = join(directory.path, "env.json");
    writeFileSync(entry, `await Bun.write(${JSON.stringify(report)}, JSON.stringify(process.env));`);
    process.env.PARALLAMA_TEST_SECRET = createHash("sha256").update("secret").digest("hex");
    const supervised = new LocalProcess({
      socketPath: join(directory.path, "s"),
      workerEntry: entry,
      env: { EXTRA: "yes" },
      restartDelay: { firstMs: 60_000, longestMs: 60_000 },
    });
    await supervised.ready().catch(() => undefined);
    const seen: Record<string, string> = await Bun.file(report).json();
    expect(seen.EXTRA).toBe("yes");
    expect(seen.PARALLAMA_TEST_SECRET).toBeUndefined();
    await supervised.stop();
    directory.remove();
  });

  test("one that cannot even be spawned is treated like a crash", async () => {
    const directory = temporaryDirectory();
    const supervised = new LocalProcess({
      socketPath: join(directory.path, "s"),
      bunPath: join(directory.path, "no-bun"),
      restartDelay: { firstMs: 60_000, longestMs: 60_000 },
    });
    await expect(supervised.ready()).rejects.toBeInstanceOf(LocalProcessUnavailable);
    expect(supervised.status()).toMatchObject({ state: "waiting-to-restart", lastExit: { exitCode: null } });
    await supervised.stop();
    directory.remove();
  });

  test("a socket path that the system cannot take is refused at once", () => {
    expect(() => new LocalProcess({ socketPath: `/tmp/${"x".repeat(110)}` })).toThrow(
      "longer than 107 bytes",
    );
  });
});

/** A clock that only moves when told to. */
class ManualClock {
  #nowMs = 0;
  readonly timers = new Map<() => void, number>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = () => callback();
    this.timers.set(timer, this.#nowMs + delayMs);
    return () => this.timers.delete(timer);
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    for (const [timer, atMs] of [...this.timers]) {
      if (atMs <= this.#nowMs && this.timers.delete(timer)) timer();
    }
  }
}

describe("a process that crashes again and again", () => {
  function crashing(clock: ManualClock, maxWaitMs: number, script = "process.exit(3)") {
    const directory = temporaryDirectory();
    const workerEntry = join(directory.path, "entry.ts");
    writeFileSync(workerEntry, script);
    const delays: number[] = [];
    const supervised = new LocalProcess({
      socketPath: join(directory.path, "s"),
      workerEntry,
      clock,
      maxWaitMs,
      onEvent: (event) => {
        if (event.event === "exited" && !event.expected) delays.push(event.retryInMs);
      },
    });
    return { supervised, delays, directory };
  }

  test("is started ever later, and who cannot wait that long is told when to come back", async () => {
    const clock = new ManualClock();
    const { supervised, delays, directory } = crashing(clock, 1500);
    const waiting = supervised.ready().catch((error: unknown) => error);
    for (let crash = 1; crash <= 4; crash++) {
      await until(`crash ${crash}`, () => delays.length === crash || undefined);
      if (crash < 4) clock.advance(delays[crash - 1] ?? 0);
    }
    expect(delays).toEqual([250, 500, 1000, 2000]);
    expect(await waiting).toBeInstanceOf(LocalProcessUnavailable);
    const refusal = await supervised.ready().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: "LocalProcessUnavailable", retryInMs: 2000 });
    expect(supervised.status()).toMatchObject({
      state: "waiting-to-restart",
      restarts: 3,
      lastExit: { exitCode: 3, signal: null },
    });
    await supervised.stop();
    expect(clock.timers.size).toBe(0);
    directory.remove();
  });

  test("after a minute of health the delays begin anew", async () => {
    const clock = new ManualClock();
    const script = `console.log(JSON.stringify({ event: "ready", pid: process.pid })); process.stdin.resume();`;
    const { supervised, delays, directory } = crashing(clock, 100_000, script);
    const crash = async (number: number) => {
      await supervised.ready();
      return async () => {
        process.kill(supervised.status().pid ?? 0, "SIGKILL");
        await until(`crash ${number}`, () => delays.length === number || undefined);
      };
    };
    await (await crash(1))();
    clock.advance(250);
    const second = await crash(2);
    clock.advance(59_999);
    await second();
    clock.advance(500);
    const third = await crash(3);
    clock.advance(60_000);
    await third();
    expect(delays).toEqual([250, 500, 250]);
    await supervised.stop();
    directory.remove();
  });

  test("one that does not get ready in time is killed, and one that ignores SIGTERM too", async () => {
    const clock = new ManualClock();
    const script = `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); await Bun.write("up", "");`;
    const { supervised, delays, directory } = crashing(clock, 200_000, script);
    const waiting = supervised.ready().catch((error: unknown) => error);
    const up = join(directory.path, "up");
    await until("the process to run", () => existsSync(up) || undefined);
    clock.advance(60_000);
    await until("the kill", () => delays.length === 1 || undefined);
    clock.advance(250);
    await until("the restart", () => supervised.status().state === "starting" || undefined);
    const stopped = supervised.stop();
    clock.advance(5_000);
    await stopped;
    expect(await waiting).toMatchObject({ name: "LocalProcessUnavailable", retryInMs: undefined });
    directory.remove();
  });
});
