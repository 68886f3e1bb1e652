/** kill -9: what was answered is written down, the database is whole, and it starts again. */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { until, yamlOf } from "../scenarios/bad-days/failing-gateway.ts";
import { goodAnswer, post } from "../scenarios/bad-days/spoken.ts";
import { makeDataDir, startProcess } from "../support/gateway-process.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";
import { within } from "../support/within.ts";
import { expectRows, expectWhole, storedRequests, streamedAt } from "./served.ts";

const CALLERS = 16;
const ROUNDS = 3;

test("kill -9 under load, three times over: every answer that was complete has its row", async () => {
  await using upstream = await scriptedUpstream();
  const dataDir = makeDataDir();
  const yaml = yamlOf(upstream.url);
  const complete: string[] = [];
  let key = "";
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await using gateway = await startProcess({ yaml, dataDir });
      if (round === 0) key = gateway.userKey;
      expectWhole(gateway.databasePath);
      expectRows(gateway.databasePath, complete);
      const before = complete.length;
      const calls = Array.from({ length: CALLERS }, async (_, i) => {
        for (let n = 0; ; n++) {
          const spoken = streamedAt(i);
          const streamed = n % 2 === 0;
          upstream.replyAlways(`POST ${spoken.path}`, (request) => {
            const body = request.json() as { stream?: boolean };
            return goodAnswer(spoken, body.stream === true);
          });
          const response = await post(gateway.url, key, spoken, streamed);
          if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
          await response.arrayBuffer(); // rejects where the answer was cut
          complete.push(response.headers.get("x-request-id") ?? "");
        }
      });
      const ended = Promise.allSettled(calls);
      await until("a few hundred answers", () => complete.length - before > 300);
      gateway.signal("SIGKILL");
      expect(await within("the end", gateway.exited)).toBe(137);
      for (const call of await within("the callers", ended)) {
        // Nobody saw an answer of the gateway that was not a good one: the connection broke, and that was all.
        if (call.status === "rejected") expect(String(call.reason)).not.toContain("status");
      }
    }
    await using gateway = await startProcess({ yaml, dataDir });
    expectWhole(gateway.databasePath);
    expectRows(gateway.databasePath, complete);
    const rows = storedRequests(gateway.databasePath);
    expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
    const ids = new Set(complete);
    for (const row of rows.filter(({ id }) => ids.has(id))) {
      expect(row).toMatchObject({ status: 200, error: null, input_tokens: 3, output_tokens: 2 });
    }
    expect(await gateway.stop()).toBe(0);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("kill -9 does not leave the local models' process behind, and the next start has one of its own", async () => {
  const dataDir = makeDataDir();
  const ask = (url: string, key: string) =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: "parallama-demo", prompt: "Call me", max_tokens: 3 }),
    });
  try {
    await using first = await startProcess({ dataDir });
    expect((await ask(first.url, first.userKey)).status).toBe(200);
    const workers = childrenOf(first.pid);
    expect(workers).toHaveLength(1);
    first.signal("SIGKILL");
    await first.exited;
    await until("the worker to end", () => workers.every((pid) => !isRunning(pid)));

    await using second = await startProcess({ dataDir });
    expect((await ask(second.url, first.userKey)).status).toBe(200);
    const own = childrenOf(second.pid);
    expect(await second.stop()).toBe(0);
    expect(own.filter(isRunning)).toEqual([]);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

function childrenOf(pid: number): number[] {
  const listed = Bun.spawnSync(["pgrep", "-P", String(pid)]).stdout.toString();
  return listed
    .split("\n")
    .map(Number)
    .filter((child) => child > 0);
}

function isRunning(pid: number): boolean {
  const state = Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)])
    .stdout.toString()
    .trim();
  return state !== "" && !state.startsWith("Z");
}
