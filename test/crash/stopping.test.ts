/** Signals: SIGTERM lets what is under way end, a second one does not wait, SIGHUP reads the configuration again. */
import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMAND_SOCKET } from "../../src/surfaces/command-socket.ts";
import { until, yamlOf } from "../scenarios/bad-days/failing-gateway.ts";
import { errorMessage, post, SPOKEN } from "../scenarios/bad-days/spoken.ts";
import { type GatewayProcess, startProcess } from "../support/gateway-process.ts";
import { json, wait } from "../support/script.ts";
import { scriptedUpstream } from "../support/scripted-upstream.ts";
import { gate, within } from "../support/within.ts";
import {
  beginStreams,
  expectRows,
  expectWhole,
  type HeldStream,
  heldProvider,
  lastEvent,
  storedRequests,
  streamedAt,
} from "./served.ts";

const STREAMS = 20;

test("SIGTERM under load: streams end properly, new requests are refused, every row is there", async () => {
  await using provider = await heldProvider();
  await using gateway = await startProcess({ yaml: yamlOf(provider.upstream.url) });
  const streams = await beginStreams(gateway, gateway.userKey, STREAMS);
  gateway.signal("SIGTERM");
  await gateway.event("server.stopping");

  const refusedIds: (string | null)[] = [];
  for (const spoken of SPOKEN) {
    const refused = await post(gateway.url, gateway.userKey, spoken, false);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).not.toBeNull();
    const requestId = refused.headers.get("x-request-id");
    expect(errorMessage(spoken.shape, await refused.json(), requestId)).toContain("shutting down");
    refusedIds.push(requestId);
  }

  provider.held.open();
  for (const { spoken, text } of streams) {
    expect((await within("the rest of a stream", text)).endsWith(lastEvent(spoken))).toBe(true);
  }
  expect(await within("the end", gateway.exited)).toBe(0);
  expect((await gateway.event("server.stopped"))["unwrittenRows"]).toBe(0);
  expectWhole(gateway.databasePath);
  expectRows(gateway.databasePath, [...streams.map(({ requestId }) => requestId), ...refusedIds]);
  expect(storedRequests(gateway.databasePath).filter((row) => row.status === 200)).toHaveLength(STREAMS);
});

test("SIGTERM cuts no answer that has been begun, however slowly it is read", async () => {
  await using upstream = await scriptedUpstream();
  const big = { ...(streamedAt(0).whole as object), filler: "x".repeat(8 * 1024 * 1024) };
  upstream.replyAlways("*", () => json(200, big));
  await using gateway = await startProcess({ yaml: yamlOf(upstream.url) });
  const response = await post(gateway.url, gateway.userKey, streamedAt(0), false);
  // The head is here; eight megabytes do not fit into the buffers between us.
  gateway.signal("SIGTERM");
  await gateway.event("server.stopping");
  expect(await within("the whole answer", response.json())).toEqual(big);
  expect(await within("the end", gateway.exited)).toBe(0);
});

test("SIGTERM with nothing to do ends at once, and the keep-alive of callers does not hold it", async () => {
  await using gateway = await startProcess();
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  expect(await gateway.stop()).toBe(0);
  await expect(fetch(`${gateway.url}/health`)).rejects.toThrow();
});

/** Every stream ended with an error in its caller's protocol, and its row says why. */
async function expectInterrupted(gateway: GatewayProcess, streams: readonly HeldStream[]): Promise<void> {
  for (const { spoken, text } of streams) {
    const ended = await within("the end of a stream", text);
    expect(ended).toContain("The gateway was shut down before the answer was complete.");
    expect(ended.endsWith(lastEvent(spoken))).toBe(false);
  }
  expectWhole(gateway.databasePath);
  expectRows(
    gateway.databasePath,
    streams.map(({ requestId }) => requestId),
  );
  for (const row of storedRequests(gateway.databasePath)) {
    expect(row).toMatchObject({ status: 503, error: "draining", output_tokens: 1 });
  }
}

test("a second SIGTERM does not wait: streams end with an error, and their rows are there", async () => {
  await using provider = await heldProvider();
  await using gateway = await startProcess({ yaml: yamlOf(provider.upstream.url) });
  const streams = await beginStreams(gateway, gateway.userKey, STREAMS);
  gateway.signal("SIGTERM");
  await gateway.event("server.stopping");
  expect(await gateway.stop("SIGTERM")).toBe(0);
  await expectInterrupted(gateway, streams);
});

test("the drain has an end, which a reload can move: streams that do not end are ended with an error", async () => {
  await using provider = await heldProvider();
  const yaml = (server: string) => yamlOf(provider.upstream.url, {}, `server: {${server}}`);
  await using gateway = await startProcess({ yaml: yaml("drain_timeout: 1h") });
  const streams = await beginStreams(gateway, gateway.userKey, STREAMS);
  writeFileSync(
    join(gateway.dataDir, "parallama.yaml"),
    yaml("drain_timeout: 500ms, max_json_depth: 9, max_concurrent_requests: 1"),
  );
  gateway.signal("SIGHUP");
  expect(await gateway.event("configuration.reloaded")).toMatchObject({
    changed: ["server.drain_timeout", "server.max_concurrent_requests", "server.max_json_depth"],
    needRestart: ["server.max_concurrent_requests", "server.max_json_depth"],
  });
  expect(await gateway.stop("SIGINT")).toBe(0);
  await expectInterrupted(gateway, streams);
});

test("an answer that is not streamed, and does not come, ends with an error too", async () => {
  await using upstream = await scriptedUpstream();
  const never = gate();
  upstream.replyAlways("*", () => [wait(never)]);
  const yaml = yamlOf(upstream.url, {}, "server: {drain_timeout: 100ms}");
  await using gateway = await startProcess({ yaml });
  const answers = SPOKEN.map((spoken) => ({
    spoken,
    answer: post(gateway.url, gateway.userKey, spoken, false),
  }));
  await until("the requests", () => upstream.requests.length === SPOKEN.length);
  gateway.signal("SIGTERM");
  for (const { spoken, answer } of answers) {
    const response = await within("an answer", answer);
    const requestId = response.headers.get("x-request-id");
    expect(response.status).toBe(503);
    expect(errorMessage(spoken.shape, await response.json(), requestId)).toContain("shut down");
  }
  expect(await within("the end", gateway.exited)).toBe(0);
  never.open();
});

test("SIGHUP as soon as it says that it listens is a reload, and so are two at once", async () => {
  await using gateway = await startProcess();
  gateway.signal("SIGHUP");
  gateway.signal("SIGHUP");
  await gateway.event("configuration.reloaded");
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  expect(await gateway.stop()).toBe(0);
  expect(existsSync(join(gateway.dataDir, COMMAND_SOCKET))).toBe(false);
});

test("SIGHUP: a changed provider holds for what comes, and cuts nothing that is under way", async () => {
  await using provider = await heldProvider();
  await using other = await scriptedUpstream();
  const spoken = streamedAt(0);
  other.replyAlways("*", () => json(200, spoken.whole));
  await using gateway = await startProcess({ yaml: yamlOf(provider.upstream.url) });
  const streams = await beginStreams(gateway, gateway.userKey, STREAMS);
  writeFileSync(join(gateway.dataDir, "parallama.yaml"), yamlOf(other.url));
  gateway.signal("SIGHUP");
  const reloaded = await gateway.event("configuration.reloaded");
  expect(JSON.stringify(reloaded["changed"])).toContain("providers");
  expect(await (await post(gateway.url, gateway.userKey, spoken, false)).json()).toEqual(spoken.whole);
  expect(other.requests).toHaveLength(1);
  provider.held.open();
  for (const { spoken: asked, text } of streams) {
    expect((await within("the rest of a stream", text)).endsWith(lastEvent(asked))).toBe(true);
  }
  expect(await gateway.stop()).toBe(0);
});

test.each([
  { what: "is no YAML", text: "providers: [" },
  { what: "has a key that nobody knows", text: "serverr: {}\n" },
  { what: "has a wrong value", text: "logging: {level: loud}\n" },
])("SIGHUP with a configuration that $what: it says so and runs on as it was", async ({ text }) => {
  await using upstream = await scriptedUpstream();
  const spoken = streamedAt(0);
  upstream.replyAlways("*", () => json(200, spoken.whole));
  await using gateway = await startProcess({ yaml: yamlOf(upstream.url) });
  writeFileSync(join(gateway.dataDir, "parallama.yaml"), text);
  gateway.signal("SIGHUP");
  const refused = await gateway.event("configuration.refused");
  expect(refused["level"]).toBe("error");
  expect((refused["errors"] as string[]).length).toBeGreaterThan(0);
  expect((await post(gateway.url, gateway.userKey, spoken, false)).status).toBe(200);
  // Mended, it is taken.
  writeFileSync(join(gateway.dataDir, "parallama.yaml"), yamlOf(upstream.url));
  gateway.signal("SIGHUP");
  await gateway.event("configuration.reloaded");
  await until(
    "the provider",
    async () => (await post(gateway.url, gateway.userKey, spoken, false)).status === 200,
  );
  expect(await gateway.stop()).toBe(0);
});
