import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { fixture } from "../../support/fixtures.ts";
import { anthropicClient } from "../../support/official-clients.ts";
import { replay } from "../../support/replay.ts";
import { typedSse } from "../../support/script.ts";
import { type Clients, startClients, thrownBy } from "./client-setup.ts";

let clients: Clients;
beforeAll(async () => {
  clients = await startClients();
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
});

const ASKED = {
  model: "claude-test",
  max_tokens: 256,
  messages: [{ role: "user" as const, content: "Hallo 👋" }],
};
const CUT = { split: { seed: 4, max: 90 } };

test("create gives the whole answer; the client's own version of the API is asked for", async () => {
  const { upstream, anthropic, gateway } = clients;
  const one = fixture("anthropic-messages/text");
  upstream.reply("*", replay(one));
  const message = await anthropic.messages.create(ASKED);
  expect(message.content.map((block) => (block.type === "text" ? block.text : block.type))).toEqual([
    one.expect.text ?? "",
  ]);
  expect(message.usage).toMatchObject({ input_tokens: 33, output_tokens: 19 });
  expect(message._request_id).toBe(gateway.rows.at(-1)?.id);
  expect(upstream.requests.at(-1)?.header("anthropic-version")).toBe("2026-10-21");
});

test("the stream helper gives text, thinking with its signature, and tool calls", async () => {
  const { upstream, anthropic } = clients;
  for (const id of ["text-stream-ping", "thinking-stream", "parallel-tool-use-stream", "tool-use-stream"]) {
    const one = fixture(`anthropic-messages/${id}`);
    upstream.reply("*", replay(one, CUT));
    const helper = anthropic.messages.stream(ASKED);
    let streamed = "";
    helper.on("text", (text) => {
      streamed += text;
    });
    const { content, usage } = await helper.finalMessage();
    const blocks = (type: string) => content.filter((block) => block.type === type);
    expect([id, usage.output_tokens]).toEqual([id, one.expect.usage?.outputTokens ?? -1]);
    if (one.expect.text !== undefined) expect([id, streamed]).toEqual([id, one.expect.text]);
    if (one.expect.thinking !== undefined) {
      expect(blocks("thinking")).toMatchObject([
        { thinking: one.expect.thinking, signature: one.expect.signature ?? "?" },
      ]);
    }
    const calls = content.flatMap((block) =>
      block.type === "tool_use" ? [{ id: block.id, input: block.input }] : [],
    );
    expect(calls).toEqual(
      (one.expect.toolCalls ?? []).map((call) => ({
        id: call.id,
        input: JSON.parse(call.arguments || "{}"),
      })),
    );
  }
});

test("models are listed and shown in Anthropic's form", async () => {
  const { anthropic } = clients;
  const page = await anthropic.models.list();
  expect(page.data.map(({ id }) => id)).toContain("claude-test");
  expect(page.data.map(({ id }) => id)).not.toContain("gpt-test");
  expect(page.has_more).toBe(false);
  expect(await anthropic.models.retrieve("claude-test")).toMatchObject({ id: "claude-test", type: "model" });
  expect(await thrownBy(anthropic.models.retrieve("nobody"))).toBeInstanceOf(Anthropic.NotFoundError);
});

type ErrorClass = new (...parts: never[]) => Error;

describe("what the client throws for", () => {
  const cases: readonly (readonly [string, ErrorClass, number, string])[] = [
    ["error-400-invalid-request", Anthropic.BadRequestError, 400, "invalid_request_error"],
    ["error-404-not-found", Anthropic.NotFoundError, 404, "not_found_error"],
    ["error-401-authentication", Anthropic.InternalServerError, 502, "api_error"],
    ["error-403-permission", Anthropic.InternalServerError, 502, "api_error"],
    ["error-429-rate-limit", Anthropic.RateLimitError, 429, "rate_limit_error"],
    ["error-529-overloaded", Anthropic.InternalServerError, 502, "api_error"],
  ];
  for (const [id, error, status, type] of cases) {
    test(`the provider's ${id}`, async () => {
      const { upstream, anthropic } = clients;
      for (const act of [
        () => anthropic.messages.create(ASKED),
        () => anthropic.messages.stream(ASKED).finalMessage(),
      ]) {
        upstream.reply("*", replay(fixture(`anthropic-messages/${id}`)));
        const thrown = await thrownBy(act());
        expect(thrown).toBeInstanceOf(error);
        expect(thrown).toMatchObject({ status, error: { type: "error", error: { type } } });
      }
    });
  }

  const refusals: readonly (readonly [string, () => Promise<unknown>, ErrorClass, object])[] = [
    [
      "a wrong key",
      () => anthropicClient(clients.gateway.url, "pk_wrong").messages.create(ASKED),
      Anthropic.AuthenticationError,
      { status: 401, error: { error: { type: "authentication_error" } } },
    ],
    [
      "a model that nobody has",
      () => clients.anthropic.messages.create({ ...ASKED, model: "nobody" }),
      Anthropic.NotFoundError,
      { status: 404, error: { error: { type: "not_found_error" } } },
    ],
    [
      "a model of another protocol",
      () => clients.anthropic.messages.create({ ...ASKED, model: "gpt-test" }),
      Anthropic.BadRequestError,
      { status: 400, error: { error: { type: "invalid_request_error" } } },
    ],
    [
      "a gateway that is not there",
      () => anthropicClient("http://127.0.0.1:9", "k").messages.create(ASKED),
      Anthropic.APIConnectionError,
      {},
    ],
  ];
  for (const [name, act, error, seen] of refusals) {
    test(name, async () => {
      const thrown = await thrownBy(act());
      expect(thrown).toBeInstanceOf(error);
      expect(thrown).toMatchObject(seen);
    });
  }

  for (const id of ["error-mid-stream", "error-before-content"]) {
    test(`${id} of the provider`, async () => {
      const { upstream, anthropic } = clients;
      upstream.reply("*", replay(fixture(`anthropic-messages/${id}`), CUT));
      const thrown = await thrownBy(anthropic.messages.stream(ASKED).finalMessage());
      expect(thrown).toBeInstanceOf(Anthropic.APIError);
      expect(String(thrown)).toContain("Overloaded");
    });
  }

  test("a stream that ends without saying so", async () => {
    const { upstream, anthropic } = clients;
    const start = {
      type: "message_start",
      message: {
        id: "m",
        type: "message",
        role: "assistant",
        content: [],
        usage: { input_tokens: 3, output_tokens: 1 },
      },
    };
    upstream.reply("*", typedSse([start]));
    const thrown = await thrownBy(anthropic.messages.stream(ASKED).finalMessage());
    expect(thrown).toBeInstanceOf(Anthropic.APIError);
    expect(String(thrown)).toContain("cut short");
  });
});
