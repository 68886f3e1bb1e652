import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fixture } from "../../support/fixtures.ts";
import { property } from "../../support/json-access.ts";
import type { Relay } from "../relay/relay-setup.ts";
import { isRaised, type Outcomes, pythonSkipReason, runCases } from "./python.ts";
import { startReplaying } from "./replaying-gateway.ts";

describe.skipIf(pythonSkipReason !== undefined)("Python's ollama client", () => {
  let relay: Relay;
  let cases: Outcomes;
  beforeAll(async () => {
    relay = await startReplaying();
    cases = await runCases("ollama", relay.gateway.url, relay.gateway.userKey);
  });
  afterAll(async () => await relay[Symbol.asyncDispose]());

  test("chats, whole and streamed", () => {
    const whole = fixture("ollama/chat").expect;
    expect(cases.result("chat")).toMatchObject({
      done: true,
      message: { role: "assistant", content: whole.text },
      eval_count: whole.usage?.outputTokens,
    });
    const streamed = fixture("ollama/chat-stream").expect;
    expect(cases.result("chat_stream")).toMatchObject({
      text: streamed.text,
      last: { done: true, done_reason: "stop", eval_count: streamed.usage?.outputTokens },
    });
  });

  test("gets thinking apart from the answer", () => {
    const { text, thinking } = fixture("ollama/chat-thinking-stream").expect;
    expect(cases.result("chat_thinking_stream")).toEqual({ text, thinking });
  });

  test("gets tool calls", () => {
    const calls = fixture("ollama/chat-tools").expect.toolCalls ?? [];
    expect(cases.result("tools")).toMatchObject({
      message: {
        tool_calls: calls.map((call) => ({
          function: { name: call.name, arguments: JSON.parse(call.arguments) },
        })),
      },
    });
  });

  test("generates, whole and streamed", () => {
    const whole = fixture("ollama/generate").expect;
    expect(cases.result("generate")).toMatchObject({ done: true, response: whole.text });
    const streamed = fixture("ollama/generate-stream").expect;
    expect(cases.result("generate_stream")).toMatchObject({ text: streamed.text, last: { done: true } });
  });

  test("embeds", () => {
    expect(cases.result("embed")).toMatchObject({ embeddings: fixture("ollama/embed").expect.vectors });
  });

  test("lists the models, and shows one", () => {
    expect(cases.result("list_models")).toContain("llama-test");
    expect(cases.result("show")).toMatchObject({ capabilities: ["completion", "tools"] });
  });

  test.each([
    ["wrong_key", 401],
    ["unknown_model", 404],
    ["show_unknown", 404],
    ["unknown_at_the_provider", 404],
    ["bad_request", 400],
    ["provider_failed", 502],
  ])("%s raises ResponseError with %d", (name, status) => {
    const raised = cases.raised(name);
    expect(raised).toMatchObject({ class: "ResponseError", status });
    // The client shows the text of {"error": "..."}; anything else it would show as JSON.
    expect(raised.message).not.toContain("{");
  });

  test.each(["error_mid_stream", "cut_mid_stream"])("%s raises, after what had come", (name) => {
    const result = cases.result(name);
    const raised = property(result, "raised");
    expect(String(property(result, "seen")).length).toBeGreaterThan(0);
    expect(isRaised(raised) && raised.class).toBe("ResponseError");
  });
});
