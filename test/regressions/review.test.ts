// One test for each fault that reading the code brought to light, named after what went wrong.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { providersYaml, startGateway, type TestGateway } from "../support/gateway.ts";
import { rawClient } from "../support/raw-client.ts";
import { chunk, chunkedHead, end, json, wait } from "../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";
import { gate } from "../support/within.ts";

let upstream: ScriptedUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await scriptedUpstream();
  gateway = await startGateway({ yaml: providersYaml(upstream.url) });
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const CHAT = { model: "gpt-test", messages: [{ role: "user", content: "x".repeat(400) }] };

function post(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.userKey}`, ...headers },
    body: JSON.stringify(body),
  });
}

function event(chunkBody: unknown): string {
  return `data: ${JSON.stringify(chunkBody)}\n\n`;
}

describe("a body's announced length", () => {
  test("given twice was read as no number, and switched both bounds off", async () => {
    await using client = await rawClient(gateway.url);
    const body = JSON.stringify(CHAT);
    const lengths = `content-length: ${body.length}\r\ncontent-length: ${body.length}\r\n`;
    const key = `authorization: Bearer ${gateway.userKey}\r\n`;
    await client.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${key}${lengths}\r\n${body}`);
    expect((await client.readResponse()).status).toBe(400);
    upstream.reply("*", json(200, { choices: [] }));
    expect((await post(CHAT)).status).toBe(200);
  });

  test("takes no room before anything has come", async () => {
    await using small = await scriptedUpstream();
    await using crowded = await startGateway({
      yaml: `server:\n  max_held_body_bytes: 1MiB\n  max_body_bytes: 1MiB\n${providersYaml(small.url)}`,
    });
    await using greedy = await rawClient(crowded.url);
    const key = `authorization: Bearer ${crowded.userKey}\r\n`;
    await greedy.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n${key}content-length: 1000000\r\n\r\n{`,
    );
    small.reply("*", json(200, { choices: [] }));
    const response = await fetch(`${crowded.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${crowded.userKey}` },
      body: JSON.stringify({ ...CHAT, padding: "x".repeat(60_000) }),
    });
    expect(response.status).toBe(200);
  });
});

test("a whole answer without finish_reason was refused after it had been paid for", async () => {
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  upstream.reply("*", json(200, { id: "a", choices: [{ index: 0, message: { content: "hi" } }], usage }));
  const before = gateway.rows.length;
  expect((await post(CHAT)).status).toBe(200);
  expect(gateway.rows[before]?.usage?.tokens).toMatchObject({ input: 3, output: 4 });
});

test("a provider that breaks off before it said anything was paid for the prompt by estimate", async () => {
  const role = { choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }] };
  upstream.reply("*", [chunkedHead(200, { "content-type": "text/event-stream" }), chunk(event(role)), end()]);
  const before = gateway.rows.length;
  expect(await (await post({ ...CHAT, stream: true })).text()).toContain('"error"');
  expect(gateway.rows[before]).toMatchObject({ status: 502, error: "provider_broken", costNanoUsd: 0n });
  expect(gateway.rows[before]?.usage).toBeUndefined();
});

test("what is in progress at the end of a shutdown was cut without a word", async () => {
  const door = gate();
  const text = { choices: [{ index: 0, delta: { content: "half" }, finish_reason: null }] };
  upstream.reply("*", [
    chunkedHead(200, { "content-type": "text/event-stream" }),
    chunk(event(text)),
    wait(door),
  ]);
  const before = gateway.rows.length;
  const response = await post({ ...CHAT, stream: true });
  gateway.app.interrupt();
  expect(await response.text()).toContain("shut down");
  expect((await gateway.rowsAt(before + 1))[before]).toMatchObject({ status: 503, error: "draining" });
  door.open();
});

test("a model of a provider without its key did not say which key is missing", async () => {
  const response = await post({ ...CHAT, model: "openai/gpt-4o" });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "provider_not_configured" } });
});

test("a wrong base URL got no hint", async () => {
  const response = await fetch(`${gateway.url}/chat/completions`, { method: "POST", body: "{}" });
  expect(response.status).toBe(404);
  expect(await response.text()).toContain("ends in /v1");
});
