import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestGateway } from "../../support/gateway.ts";
import { isObject, property } from "../../support/json-access.ts";
import { startLocalGateway } from "./local-gateway.ts";

/**
 * Clients send fields that mean nothing to a local model. They must not fail by it; what would be missing from the
 * answer without a word is refused, naming the field.
 */

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startLocalGateway();
});
afterAll(async () => await gateway.close());

async function post(path: string, body: object) {
  const response = await fetch(gateway.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.userKey}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

const greedy = { model: "parallama-demo", max_tokens: 4, temperature: 0 };
const chat = { ...greedy, messages: [{ role: "user", content: "Hello!" }] };
const tool = { type: "function", function: { name: "f", parameters: {} } };

const HARMLESS: readonly Readonly<Record<string, unknown>>[] = [
  { user: "u1" },
  { metadata: { team: "a" } },
  { store: false },
  { store: true },
  { parallel_tool_calls: true },
  { tools: [] },
  { tool_choice: "none" },
  { service_tier: "auto" },
  { stream_options: null },
  { stream: true, stream_options: { include_usage: true, include_obfuscation: false } },
  { n: 1 },
  { logprobs: false },
  { safety_identifier: "s" },
  { prompt_cache_key: "k" },
  { prompt_cache_retention: "24h" },
  { modalities: ["text"] },
  { reasoning_effort: "none" },
  { verbosity: "medium" },
  { prediction: { type: "content", content: "x" } },
  { response_format: { type: "text" } },
  { stop: null, seed: null, logit_bias: null, top_p: null },
  { keep_alive: "5m" },
  { a_field_of_tomorrow: { deep: [1, 2, 3] } },
];

describe("a field that changes nothing", () => {
  test.each(HARMLESS.map((extra) => [JSON.stringify(extra), extra] as const))(
    "%s is let pass in a chat",
    async (_, extra) => {
      const plain: unknown = JSON.parse((await post("/v1/chat/completions", chat)).text);
      const { status, text } = await post("/v1/chat/completions", { ...chat, ...extra });
      expect([status, text]).toEqual([200, expect.any(String)]);
      if (extra.stream === true) return;
      expect(property(JSON.parse(text), "choices")).toEqual(property(plain, "choices"));
    },
  );

  test("unknown ones pass in completions and embeddings too", async () => {
    const extra = { user: "u1", metadata: {}, store: true, service_tier: "auto", a_field_of_tomorrow: 1 };
    expect((await post("/v1/completions", { ...greedy, prompt: "x", ...extra })).status).toBe(200);
    expect((await post("/v1/embeddings", { ...greedy, input: "x", ...extra })).status).toBe(200);
  });
});

describe("what cannot be done", () => {
  const image = { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } };
  const audio = { type: "input_audio", input_audio: { data: "AA==", format: "wav" } };
  test.each([
    ["tools", { tools: [tool] }],
    ["tool_choice", { tool_choice: "required" }],
    ["logprobs", { logprobs: true }],
    ["n", { n: 2 }],
    ["modalities", { modalities: ["text", "audio"] }],
    ["audio", { audio: { voice: "alloy", format: "wav" } }],
    ["web_search_options", { web_search_options: {} }],
    ["reasoning_effort", { reasoning_effort: "high" }],
    ["messages[0].content[0]", { messages: [{ role: "user", content: [image] }] }],
    ["messages[0].content[0]", { messages: [{ role: "user", content: [audio] }] }],
  ])("%s is a 400 that names it", async (param, extra) => {
    const { status, text } = await post("/v1/chat/completions", { ...chat, ...extra });
    const error = property(JSON.parse(text), "error");
    expect(status).toBe(400);
    expect(error).toMatchObject({ type: "invalid_request_error", param });
    expect(isObject(error) && String(error.message)).toContain(param);
    const row = gateway.rows.at(-1);
    expect(row).toMatchObject({ status: 400, usage: undefined, costNanoUsd: 0n });
  });
});
