import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import type { TestGateway } from "../../support/gateway.ts";
import { openAiClient } from "../../support/official-clients.ts";
import { within } from "../../support/within.ts";
import { rowOf, startLocalGateway, toldUsage } from "./local-gateway.ts";

/** The model that ships with the project, through the whole gateway, by OpenAI's own client. */

const NANO_PER_TOKEN = 10_000n; // model 1: 0.01 USD per 1,000 tokens

const ask = (content: string) => [{ role: "user" as const, content }];
const greedy = { temperature: 0, max_tokens: 12 };

let gateway: TestGateway;
let client: OpenAI;
beforeAll(async () => {
  gateway = await startLocalGateway();
  client = openAiClient(gateway.url, gateway.userKey);
});
afterAll(async () => await gateway.close());

describe.each([
  ["parallama-demo", 0n],
  ["gpt2", NANO_PER_TOKEN],
] as const)("%s", (model, nanoPerToken) => {
  /** The row says what the client was told, at the price of the model. */
  async function expectRow(requestId: string | null, usage: Parameters<typeof toldUsage>[0]) {
    const row = await rowOf(gateway, requestId);
    expect(row).toMatchObject({ status: 200, error: null, model, usage: toldUsage(usage) });
    const tokens = (usage?.prompt_tokens ?? 0) + (usage?.completion_tokens ?? 0);
    expect(tokens).toBeGreaterThan(0);
    expect(row.costNanoUsd).toBe(BigInt(tokens) * nanoPerToken);
  }

  test("chats", async () => {
    const { data, request_id } = await client.chat.completions
      .create({ ...greedy, model, messages: ask("Hello!") })
      .withResponse();
    expect(data).toMatchObject({ object: "chat.completion", model });
    expect(data.choices[0]?.message.content?.length).toBeGreaterThan(0);
    await expectRow(request_id, data.usage);
  });

  test("streams the same answer, and tells what it used only if asked", async () => {
    const request = { ...greedy, model, messages: ask("Hello!") };
    const whole = await client.chat.completions.create(request);
    for (const include_usage of [true, false]) {
      const { data, request_id } = await client.chat.completions
        .create({ ...request, stream: true, stream_options: { include_usage } })
        .withResponse();
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of data) chunks.push(chunk);
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
      expect(text).toBe(whole.choices[0]?.message.content ?? "");
      const told = chunks.map(({ usage }) => usage ?? undefined).filter((usage) => usage !== undefined);
      expect(told).toEqual(include_usage && whole.usage !== undefined ? [whole.usage] : []);
      await expectRow(request_id, whole.usage);
    }
  });

  test("completes, whole and streamed", async () => {
    const request = { ...greedy, model, prompt: "Call me" };
    const { data, request_id } = await client.completions.create(request).withResponse();
    expect(data.object).toBe("text_completion");
    await expectRow(request_id, data.usage);
    let text = "";
    for await (const chunk of await client.completions.create({ ...request, stream: true })) {
      text += chunk.choices[0]?.text ?? "";
    }
    expect(text).toBe(data.choices[0]?.text ?? "");
  });

  test("embeds", async () => {
    const { data, request_id } = await client.embeddings
      .create({ model, input: ["a whale", "a whale", "the sea"] })
      .withResponse();
    const [first, second, third] = data.data.map(({ embedding }) => embedding);
    expect(first?.length).toBeGreaterThan(8);
    expect(second).toEqual(first ?? []);
    expect(third).not.toEqual(first);
    await expectRow(request_id, data.usage);
  });
});

describe("what a request may ask", () => {
  const model = "gpt2";

  test("an answer that follows a JSON schema", async () => {
    const schema = {
      type: "object",
      properties: {
        name: { type: "string", maxLength: 8 },
        age: { type: "integer", minimum: 1, maximum: 99 },
      },
      required: ["name", "age"],
      additionalProperties: false,
    };
    const answer = await client.chat.completions.create({
      model,
      messages: ask("A person, as JSON."),
      seed: 1,
      max_tokens: 100,
      response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema } },
    });
    const value: unknown = JSON.parse(answer.choices[0]?.message.content ?? "");
    expect(value).toEqual({ name: expect.any(String), age: expect.any(Number) });
  });

  test("a string at which it stops", async () => {
    const request = { ...greedy, model, prompt: "Once upon a time" };
    const text = (await client.completions.create(request)).choices[0]?.text ?? "";
    const stop = text.slice(3, 6);
    const { data, request_id } = await client.completions.create({ ...request, stop: [stop] }).withResponse();
    expect(data.choices[0]).toMatchObject({ finish_reason: "stop", text: text.slice(0, text.indexOf(stop)) });
    expect((await rowOf(gateway, request_id)).usage).toEqual(toldUsage(data.usage));
  });

  test("a seed: the same one gives the same answer", async () => {
    const text = async (seed: number) => {
      const request = { model, messages: ask("Hello!"), temperature: 1.5, max_tokens: 16, seed };
      return (await client.chat.completions.create(request)).choices[0]?.message.content ?? "";
    };
    const first = await text(7);
    expect(await text(7)).toBe(first);
    expect(new Set([first, await text(1), await text(2), await text(3)]).size).toBeGreaterThan(1);
  });
});

describe("several at once", () => {
  const model = "gpt2";
  /** Long enough not to end before it is left: token 100 and nothing else, until the context is full, 64 times. */
  const endless = {
    model,
    prompt: Array.from({ length: 64 }, () => "x"),
    max_tokens: 100_000,
    logit_bias: { "100": 100 },
    stream: true,
  } as const;

  test("four on two slots all come to their end, each with its own row", async () => {
    const prompts = ["Call me", "The sea", "The whale", "Some years ago"];
    const answers = await Promise.all(
      prompts.map(async (prompt) => {
        const { data, request_id } = await client.completions
          .create({ ...greedy, model, prompt, echo: true, max_tokens: 40 })
          .withResponse();
        expect(data.choices[0]?.text).toStartWith(prompt);
        return { usage: data.usage, requestId: request_id };
      }),
    );
    for (const { usage, requestId } of answers) {
      expect((await rowOf(gateway, requestId)).usage).toEqual(toldUsage(usage));
    }
    expect(new Set(answers.map(({ requestId }) => requestId)).size).toBe(4);
  });

  test("who leaves is charged what came, token by token, and frees the slot", async () => {
    const left = await Promise.all(
      [1, 2].map(async () => {
        const { data, request_id } = await client.completions.create(endless).withResponse();
        let pieces = 0;
        for await (const chunk of data) {
          pieces += (chunk.choices[0]?.text ?? "") === "" ? 0 : 1;
          if (pieces === 20) break;
        }
        return request_id;
      }),
    );
    for (const requestId of left) {
      const row = await within("the row of who left", rowOf(gateway, requestId));
      expect(row).toMatchObject({ status: 499, error: "client_closed", model });
      expect(row.usage).toMatchObject({ source: "counted", tokens: { input: 64 } });
      const { input = 0, output = 0 } = row.usage?.tokens ?? {};
      expect(output).toBeGreaterThanOrEqual(20);
      expect(row.costNanoUsd).toBe(BigInt(input + output) * NANO_PER_TOKEN);
    }
    // Both slots were taken: that these are served shows that they are free again.
    const after = ["The sea", "The whale"].map((prompt) =>
      client.completions.create({ ...greedy, model, prompt }),
    );
    expect(await within("the slots to be free", Promise.all(after))).toHaveLength(2);
  });
});
