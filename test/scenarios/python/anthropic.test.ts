import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fixture } from "../../support/fixtures.ts";
import { property } from "../../support/json-access.ts";
import type { Relay } from "../relay/relay-setup.ts";
import { isRaised, type Outcomes, pythonSkipReason, runCases } from "./python.ts";
import { startReplaying } from "./replaying-gateway.ts";

describe.skipIf(pythonSkipReason !== undefined)("Python's anthropic client", () => {
  let relay: Relay;
  let cases: Outcomes;
  beforeAll(async () => {
    relay = await startReplaying();
    cases = await runCases("anthropic", relay.gateway.url, relay.gateway.userKey);
  });
  afterAll(async () => await relay[Symbol.asyncDispose]());

  test.each(["create", "by_bearer"])("%s: reads a whole message", (name) => {
    const { text, model } = fixture("anthropic-messages/text").expect;
    expect(cases.result(name)).toMatchObject({
      type: "message",
      model,
      stop_reason: "end_turn",
      content: [{ type: "text", text }],
      usage: { input_tokens: 33, output_tokens: 19 },
    });
  });

  test("reads a stream, pings and all", () => {
    const { text, usage } = fixture("anthropic-messages/text-stream-ping").expect;
    expect(cases.result("stream")).toMatchObject({
      text,
      message: { stop_reason: "end_turn", usage: { output_tokens: usage?.outputTokens } },
    });
    expect(cases.result("raw_stream")).toContain("message_stop");
  });

  test("gets tool calls, whole and streamed", () => {
    for (const [name, id] of [
      ["tools", "anthropic-messages/tool-use"],
      ["tools_stream", "anthropic-messages/parallel-tool-use-stream"],
    ] as const) {
      const result = cases.result(name);
      const message = property(result, "message") ?? result;
      const content = property(message, "content");
      const calls = (Array.isArray(content) ? content : []).filter(
        (block) => property(block, "type") === "tool_use",
      );
      expect(property(message, "stop_reason")).toBe("tool_use");
      expect(calls).toMatchObject(
        (fixture(id).expect.toolCalls ?? []).map((call) => ({
          id: call.id,
          name: call.name,
          input: JSON.parse(call.arguments),
        })),
      );
    }
  });

  test("gets thinking with its signature", () => {
    const { text, thinking, signature } = fixture("anthropic-messages/thinking-stream").expect;
    expect(cases.result("thinking_stream")).toMatchObject({
      message: {
        content: [
          { type: "thinking", thinking, signature },
          { type: "text", text },
        ],
      },
    });
  });

  test("lists the models, and shows one", () => {
    expect(cases.result("models_list")).toContain("claude-test");
    expect(cases.result("models_retrieve")).toMatchObject({ id: "claude-test", type: "model" });
  });

  test.each([
    ["wrong_key", "AuthenticationError", 401, "authentication_error"],
    ["unknown_model", "NotFoundError", 404, "not_found_error"],
    ["bad_request", "BadRequestError", 400, "invalid_request_error"],
    ["rate_limit", "RateLimitError", 429, "rate_limit_error"],
    ["overloaded", "InternalServerError", 502, "api_error"],
  ])("%s raises %s with %d", (name, raisedClass, status, type) => {
    const raised = cases.raised(name);
    expect(raised).toMatchObject({ class: raisedClass, status, body: { type: "error", error: { type } } });
    expect(raised.requestId).toBeString();
    expect(raised.bases).not.toContain("APIConnectionError");
  });

  test.each(["error_mid_stream", "cut_mid_stream"])("%s raises, after what had come", (name) => {
    const result = cases.result(name);
    const raised = property(result, "raised");
    expect(String(property(result, "seen")).length).toBeGreaterThan(0);
    expect(isRaised(raised) && raised.bases.includes("APIError")).toBe(true);
    expect(isRaised(raised) && raised.bases.includes("APIConnectionError")).toBe(false);
  });
});
