import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fixture } from "../../support/fixtures.ts";
import { property } from "../../support/json-access.ts";
import type { Relay } from "../relay/relay-setup.ts";
import { isRaised, type Outcomes, pythonSkipReason, runCases } from "./python.ts";
import { startReplaying } from "./replaying-gateway.ts";

describe.skipIf(pythonSkipReason !== undefined)("Python's openai client", () => {
  let relay: Relay;
  let cases: Outcomes;
  beforeAll(async () => {
    relay = await startReplaying();
    cases = await runCases("openai", relay.gateway.url, relay.gateway.userKey);
  });
  afterAll(async () => await relay[Symbol.asyncDispose]());

  const { text } = fixture("openai-chat/text-stream-usage").expect;

  test("reads a whole answer", () => {
    const one = fixture("openai-chat/text").expect;
    expect(cases.result("chat")).toMatchObject({
      object: "chat.completion",
      model: one.model,
      choices: [{ finish_reason: "stop", message: { role: "assistant", content: one.text } }],
      usage: { prompt_tokens: 31, completion_tokens: 18, total_tokens: 49 },
    });
  });

  test("reads a stream, with the usage that it asked for", () => {
    const { inputTokens, outputTokens } = fixture("openai-chat/text-stream-usage").expect.usage ?? {};
    expect(cases.result("chat_stream")).toMatchObject({
      text,
      finish: "stop",
      usage: { prompt_tokens: expect.any(Number), completion_tokens: outputTokens },
    });
    expect(inputTokens).toBeNumber();
  });

  test("sees nothing of the usage that only the gateway asked for", () => {
    expect(cases.result("chat_stream_without_usage")).toEqual({
      text,
      anyUsage: false,
      anyWithoutChoice: false,
    });
  });

  test("its stream helper puts the answer together", () => {
    expect(cases.result("chat_stream_helper")).toMatchObject({
      choices: [{ finish_reason: "stop", message: { role: "assistant", content: text } }],
    });
  });

  test("gets tool calls, whole and streamed", () => {
    const [call] = fixture("openai-chat/tool-call").expect.toolCalls ?? [];
    expect(cases.result("tools")).toMatchObject({
      finish_reason: "tool_calls",
      message: { tool_calls: [{ id: call?.id, function: { name: call?.name, arguments: call?.arguments } }] },
    });
    const parallel = fixture("openai-chat/parallel-tool-calls-stream").expect.toolCalls ?? [];
    expect(parallel.length).toBeGreaterThan(1);
    expect(cases.result("tools_stream")).toMatchObject({
      finish_reason: "tool_calls",
      message: {
        tool_calls: parallel.map(({ id, name, arguments: given }) => ({
          id,
          function: { name, arguments: given },
        })),
      },
    });
  });

  test("learns the gateway's request id, under which the row stands", () => {
    const seen = cases.result("raw_response");
    expect(property(seen, "own")).toBe(property(seen, "requestId"));
    expect(relay.gateway.rows.map(({ id }) => id)).toContain(String(property(seen, "requestId")));
  });

  test("reads legacy completions", () => {
    expect(cases.result("completions")).toMatchObject({
      object: "text_completion",
      choices: [{ text: fixture("openai-completions/text").expect.text }],
    });
  });

  test("reads embeddings as numbers, and as the base64 that it asks for by itself", () => {
    const vectors = (id: string) => fixture(id).expect.vectors?.map((embedding) => ({ embedding })) ?? [];
    expect(cases.result("embeddings")).toMatchObject({ data: vectors("openai-embeddings/float") });
    expect(cases.result("embeddings_default_encoding")).toMatchObject({
      data: vectors("openai-embeddings/base64"),
    });
  });

  test("lists the models, and shows one", () => {
    expect(cases.result("models_list")).toContain("gpt-test");
    expect(cases.result("models_retrieve")).toMatchObject({ id: "gpt-test", object: "model" });
    expect(cases.raised("models_retrieve_unknown")).toMatchObject({ class: "NotFoundError", status: 404 });
  });

  test.each([
    ["wrong_key", "AuthenticationError", 401, "invalid_api_key"],
    ["unknown_model", "NotFoundError", 404, "model_not_found"],
    ["bad_request", "BadRequestError", 400, "invalid_type"],
    ["rate_limit", "RateLimitError", 429, undefined],
    ["provider_failed", "InternalServerError", 502, undefined],
    ["provider_refused_our_key", "InternalServerError", 502, undefined],
  ])("%s raises %s with %d", (name, raisedClass, status, code) => {
    const raised = cases.raised(name);
    expect(raised).toMatchObject({ class: raisedClass, status });
    if (code !== undefined) expect(raised.code).toBe(code);
    expect(raised.requestId).toBeString();
  });

  test("a body that is no chat is a BadRequestError", () => {
    expect(cases.raised("body_that_is_no_chat")).toMatchObject({ class: "BadRequestError", status: 400 });
  });

  test.each(["error_mid_stream", "cut_mid_stream"])("%s raises, after what had come", (name) => {
    const result = cases.result(name);
    const raised = property(result, "raised");
    expect(String(property(result, "seen")).length).toBeGreaterThan(0);
    expect(isRaised(raised) && raised.bases.includes("APIError")).toBe(true);
    expect(isRaised(raised) && raised.bases.includes("APIConnectionError")).toBe(false);
  });

  test("nothing was a failure of the connection", () => {
    const failed = cases.names.filter((name) => {
      const raised = attempt(() => cases.raised(name));
      return raised?.bases.includes("APIConnectionError") === true;
    });
    expect(failed).toEqual([]);
    expect(relay.gateway.errors.filter(({ error }) => error.kind === "internal")).toEqual([]);
  });
});

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
