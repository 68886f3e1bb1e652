import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { fixture } from "../../support/fixtures.ts";
import { openAiClient } from "../../support/official-clients.ts";
import { replay } from "../../support/replay.ts";
import { chunkedHead, json, openAiSse, reset, type Script, sse } from "../../support/script.ts";
import { type Clients, startClients, thrownBy } from "./client-setup.ts";

let clients: Clients;
beforeAll(async () => {
  clients = await startClients();
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
});

const MESSAGES = [{ role: "user" as const, content: "Grüß Gott 👋" }];
const CUT = { split: { seed: 9, max: 90 } };

describe("chat", () => {
  test("create gives the whole answer and the gateway's request id", async () => {
    const { upstream, openAi, gateway } = clients;
    const one = fixture("openai-chat/text");
    upstream.reply("*", replay(one));
    const answer = await openAi.chat.completions.create({ model: "gpt-test", messages: MESSAGES });
    expect(answer.choices[0]?.message.content).toBe(one.expect.text ?? "");
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    expect(answer.usage?.total_tokens).toBe(49);
    expect(answer._request_id).toBe(gateway.rows.at(-1)?.id);
  });

  test("a stream gives every piece, and no usage unless it was asked for", async () => {
    const { upstream, openAi } = clients;
    const one = fixture("openai-chat/text-stream-usage");
    for (const asked of [false, true]) {
      upstream.reply("*", replay(one, CUT));
      const chunks = await openAi.chat.completions.create({
        model: "gpt-test",
        messages: MESSAGES,
        stream: true,
        ...(asked ? { stream_options: { include_usage: true } } : {}),
      });
      let text = "";
      const usages: unknown[] = [];
      for await (const chunk of chunks) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (chunk.usage) usages.push(chunk.usage.completion_tokens);
        if (!asked) expect([chunk.choices.length, "usage" in chunk]).toEqual([1, false]);
      }
      expect([text, usages]).toEqual([one.expect.text ?? "", asked ? [18] : []]);
    }
  });

  test("the stream helper puts parallel tool calls together", async () => {
    const { upstream, openAi } = clients;
    const one = fixture("openai-chat/parallel-tool-calls-stream");
    upstream.reply("*", replay(one, CUT));
    const final = await openAi.chat.completions
      .stream({ model: "gpt-test", messages: MESSAGES, tools: [] })
      .finalMessage();
    const calls = final.tool_calls?.flatMap((call) =>
      call.type === "function" ? [{ id: call.id, ...call.function }] : [],
    );
    expect(calls).toMatchObject([...(one.expect.toolCalls ?? [])]);
  });

  test("a refusal and reasoning come through", async () => {
    const { upstream, openAi } = clients;
    const refusal = fixture("openai-chat/refusal-stream");
    upstream.reply("*", replay(refusal, CUT));
    const refused = await openAi.chat.completions
      .stream({ model: "gpt-test", messages: MESSAGES })
      .finalChatCompletion();
    expect(refused.choices[0]?.message.refusal).toBe(refusal.expect.refusal ?? "");
    upstream.reply("*", replay(fixture("openai-chat/reasoning")));
    const reasoned = await openAi.chat.completions.create({ model: "gpt-test", messages: MESSAGES });
    expect(reasoned.usage?.completion_tokens_details?.reasoning_tokens).toBe(192);
  });
});

test("completions, whole and as a stream", async () => {
  const { upstream, openAi } = clients;
  const whole = fixture("openai-completions/text");
  upstream.reply("*", replay(whole));
  const answer = await openAi.completions.create({ model: "gpt-test", prompt: "Es war einmal" });
  expect(answer.choices[0]?.text).toBe(whole.expect.text ?? "");
  const streamed = fixture("openai-completions/text-stream-usage");
  upstream.reply("*", replay(streamed, CUT));
  let text = "";
  for await (const chunk of await openAi.completions.create({
    model: "gpt-test",
    prompt: "Es",
    stream: true,
  })) {
    text += chunk.choices[0]?.text ?? "";
  }
  expect(text).toBe(streamed.expect.text ?? "");
});

test("embeddings, as numbers and in base64", async () => {
  const { upstream, openAi } = clients;
  for (const format of ["float", "base64"] as const) {
    const one = fixture(`openai-embeddings/${format}`);
    upstream.reply("*", replay(one));
    // Unless it is told otherwise the client asks for base64 and unpacks it.
    const asked = format === "float" ? { encoding_format: format } : {};
    const answer = await openAi.embeddings.create({ model: "embed-test", input: "Größe", ...asked });
    const vectors = answer.data.map(({ embedding }) => [...embedding]);
    expect(vectors).toEqual((one.expect.vectors ?? []).map((vector) => [...vector]));
    expect(upstream.requests.at(-1)?.json()).toMatchObject({ encoding_format: format });
  }
});

test("models are listed and shown", async () => {
  const { openAi } = clients;
  const models = await openAi.models.list();
  const names = models.data.map(({ id }) => id);
  expect(names).toEqual(expect.arrayContaining(["gpt-test", "embed-test"]));
  expect(names).not.toContain("claude-test");
  const one = await openAi.models.retrieve("gpt-test");
  expect(one).toMatchObject({
    id: "gpt-test",
    object: "model",
    owned_by: "up-openai",
    created: expect.any(Number),
  });
  expect(await thrownBy(openAi.models.retrieve("nobody"))).toBeInstanceOf(OpenAI.NotFoundError);
});

interface ErrorCase {
  readonly name: string;
  readonly answer: Script;
  readonly error: new (...parts: never[]) => Error;
  readonly seen: Readonly<Record<string, unknown>>;
}

const ERRORS: readonly ErrorCase[] = [
  {
    name: "a bad request, in the provider's words",
    answer: replay(fixture("openai-chat/error-400-bad-request")),
    error: OpenAI.BadRequestError,
    seen: { status: 400, code: "invalid_type", type: "invalid_request_error", param: "messages[0].content" },
  },
  {
    name: "a model that the provider does not have",
    answer: replay(fixture("openai-chat/error-404-no-such-model")),
    error: OpenAI.NotFoundError,
    seen: { status: 404, code: "model_not_found" },
  },
  {
    name: "a provider that limits",
    answer: replay(fixture("openai-chat/error-429-rate-limit")),
    error: OpenAI.RateLimitError,
    seen: { status: 429, type: "rate_limit_error" },
  },
  {
    name: "a provider that refuses the gateway's key: not the caller's authentication",
    answer: replay(fixture("openai-chat/error-401-invalid-key")),
    error: OpenAI.InternalServerError,
    seen: { status: 502, type: "server_error" },
  },
  {
    name: "a provider that fails",
    answer: replay(fixture("openai-chat/error-500-server")),
    error: OpenAI.InternalServerError,
    seen: { status: 502, type: "server_error" },
  },
  {
    name: "an answer that is none",
    answer: json(200, "null"),
    error: OpenAI.InternalServerError,
    seen: { status: 502, code: "provider_broken" },
  },
];

describe("what the client throws for", () => {
  for (const { name, answer, error, seen } of ERRORS) {
    test(name, async () => {
      const { upstream, openAi, gateway } = clients;
      upstream.reply("*", answer);
      const thrown = await thrownBy(
        openAi.chat.completions.create({ model: "gpt-test", messages: MESSAGES }),
      );
      expect(thrown).toBeInstanceOf(error);
      expect(thrown).toMatchObject({ ...seen, requestID: gateway.rows.at(-1)?.id });
    });
  }

  const refusals: readonly (readonly [
    string,
    () => Promise<unknown>,
    new (...parts: never[]) => Error,
    object,
  ])[] = [
    [
      "a wrong key",
      () => openAiClient(clients.gateway.url, "pk_wrong").models.list(),
      OpenAI.AuthenticationError,
      { status: 401, code: "invalid_api_key", type: "invalid_request_error" },
    ],
    [
      "a model that nobody has",
      () => clients.openAi.chat.completions.create({ model: "nobody", messages: MESSAGES }),
      OpenAI.NotFoundError,
      { status: 404, code: "model_not_found", param: "model" },
    ],
    [
      "a model of another protocol",
      () => clients.openAi.chat.completions.create({ model: "claude-test", messages: MESSAGES }),
      OpenAI.BadRequestError,
      { status: 400, code: "protocol_mismatch", param: "model" },
    ],
    [
      "a route that does not exist",
      () => clients.openAi.files.list(),
      OpenAI.NotFoundError,
      { status: 404, type: "invalid_request_error" },
    ],
    [
      "a gateway that is not there",
      () => openAiClient("http://127.0.0.1:9", "k").models.list(),
      OpenAI.APIConnectionError,
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

  test("an error inside a stream, after the text that came before it", async () => {
    const { upstream, openAi, gateway } = clients;
    const one = fixture("openai-chat/error-mid-stream");
    upstream.reply("*", replay(one, CUT));
    const [text, thrown] = await textThenError(openAi);
    expect(thrown).toBeInstanceOf(OpenAI.APIError);
    expect(String(thrown)).toContain(one.expect.error?.message ?? "?");
    expect(text).not.toBe("");
    expect(gateway.rows.at(-1)).toMatchObject({ status: 502, error: "provider_rejected" });
  });

  test("a stream that ends without saying so", async () => {
    const { upstream, openAi } = clients;
    const piece = { id: "c", choices: [{ index: 0, delta: { role: "assistant", content: "half" } }] };
    upstream.reply("*", openAiSse([piece], { done: false }));
    const [text, thrown] = await textThenError(openAi);
    expect(text).toBe("half");
    expect(thrown).toBeInstanceOf(OpenAI.APIError);
    expect(thrown).toMatchObject({ code: "provider_broken", type: "server_error" });
  });

  test("a stream that never begins", async () => {
    const { upstream, openAi } = clients;
    for (const nothing of [sse([]), [chunkedHead(200, { "Content-Type": "text/event-stream" }), reset()]]) {
      upstream.reply("*", nothing);
      const [text, thrown] = await textThenError(openAi);
      expect(text).toBe("");
      expect(thrown).toBeInstanceOf(OpenAI.InternalServerError);
      expect(thrown).toMatchObject({ status: 502, code: "provider_broken" });
    }
  });
});

async function textThenError(openAi: OpenAI): Promise<[string, unknown]> {
  let text = "";
  const thrown = await thrownBy(
    (async () => {
      const chunks = await openAi.chat.completions.create({
        model: "gpt-test",
        messages: MESSAGES,
        stream: true,
      });
      for await (const chunk of chunks) text += chunk.choices[0]?.delta.content ?? "";
    })(),
  );
  return [text, thrown];
}
