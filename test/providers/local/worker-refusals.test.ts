import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { demoModelPath } from "../../support/demo-model.ts";
import { patienceMs, WorkerUnderTest } from "./support.ts";

setDefaultTimeout(patienceMs);

/** Requests that the worker must refuse, each with the field it names. */

const message = { role: "user", content: "Hello" };
const chat = { model: "m", messages: [message], max_tokens: 1 };
const image = { type: "image_url", image_url: { url: "data:image/png;base64,AA==" } };
const tool = { type: "function", function: { name: "f", parameters: {} } };
const schema = (value: unknown) => ({
  ...chat,
  response_format: { type: "json_schema", json_schema: { name: "s", schema: value } },
});

type Case = readonly [name: string, body: unknown, param: string | null];

const badChats: readonly Case[] = [
  ["no JSON", "{", null],
  ["an array", [], null],
  ["no model", { messages: [message] }, "model"],
  ["a model that is a number", { ...chat, model: 1 }, "model"],
  ["no messages", { model: "m" }, "messages"],
  ["empty messages", { ...chat, messages: [] }, "messages"],
  ["messages that are text", { ...chat, messages: "Hello" }, "messages"],
  ["a message that is text", { ...chat, messages: ["Hello"] }, "messages[0]"],
  ["an unknown role", { ...chat, messages: [{ ...message, role: "robot" }] }, "messages[0].role"],
  ["no role", { ...chat, messages: [{ content: "x" }] }, "messages[0].role"],
  ["no content", { ...chat, messages: [message, { role: "user" }] }, "messages[1].content"],
  ["content that is a number", { ...chat, messages: [{ ...message, content: 1 }] }, "messages[0].content"],
  ["an image", { ...chat, messages: [{ ...message, content: [image] }] }, "messages[0].content[0]"],
  [
    "audio",
    { ...chat, messages: [{ ...message, content: [{ type: "input_audio" }] }] },
    "messages[0].content[0]",
  ],
  ["a temperature that is text", { ...chat, temperature: "hot" }, "temperature"],
  ["a temperature of 3", { ...chat, temperature: 3 }, "temperature"],
  ["a negative top_p", { ...chat, top_p: -1 }, "top_p"],
  ["a fraction of a top_k", { ...chat, top_k: 1.5 }, "top_k"],
  ["max_tokens 0", { ...chat, max_tokens: 0 }, "max_tokens"],
  ["max_tokens that is text", { ...chat, max_tokens: "12" }, "max_tokens"],
  ["max_completion_tokens below 0", { ...chat, max_completion_tokens: -1 }, "max_completion_tokens"],
  ["a seed that is text", { ...chat, seed: "7" }, "seed"],
  ["an empty stop string", { ...chat, stop: [""] }, "stop"],
  ["a stop that is a number", { ...chat, stop: 1 }, "stop"],
  ["too many stop strings", { ...chat, stop: Array(17).fill("x") }, "stop"],
  ["two choices", { ...chat, n: 2 }, "n"],
  ["a stream that is text", { ...chat, stream: "yes" }, "stream"],
  ["stream options without a stream", { ...chat, stream_options: {} }, "stream_options"],
  ["logprobs", { ...chat, logprobs: true }, "logprobs"],
  ["tools", { ...chat, tools: [tool] }, "tools"],
  ["a required tool", { ...chat, tool_choice: "required" }, "tool_choice"],
  ["reasoning", { ...chat, reasoning_effort: "high" }, "reasoning_effort"],
  ["audio output", { ...chat, modalities: ["text", "audio"] }, "modalities"],
  ["a bias for no token", { ...chat, logit_bias: { x: 1 } }, "logit_bias"],
  ["a bias of 101", { ...chat, logit_bias: { "1": 101 } }, "logit_bias"],
  ["an unknown format", { ...chat, response_format: { type: "xml" } }, "response_format.type"],
  [
    "a schema that is missing",
    { ...chat, response_format: { type: "json_schema" } },
    "response_format.json_schema.schema",
  ],
  ["a schema with a pattern", schema({ type: "string", pattern: "^a+$" }), "response_format"],
  ["a schema with not", schema({ not: {} }), "response_format"],
  ["a schema of an unknown type", schema({ type: "date" }), "response_format"],
  ["a reference to nothing", schema({ $ref: "#/$defs/x" }), "response_format"],
  ["a reference to another file", schema({ $ref: "other.json" }), "response_format"],
  [
    "a reference to itself",
    schema({ $defs: { a: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }),
    "response_format",
  ],
  ["bounds too far apart", schema({ type: "integer", minimum: 0, maximum: 1e6 }), "response_format"],
  [
    "a required property that is not described",
    schema({ type: "object", properties: { a: {} }, required: ["b"] }),
    "response_format",
  ],
  ["a voice", { ...chat, audio: { voice: "x", format: "wav" } }, "audio"],
  ["a search", { ...chat, web_search_options: {} }, "web_search_options"],
  [
    "a message beyond the context",
    { ...chat, messages: [{ ...message, content: "word ".repeat(9000) }] },
    "messages",
  ],
  [
    "a message far beyond the context",
    { ...chat, messages: [{ ...message, content: "x".repeat(9e6) }] },
    "messages",
  ],
];

const badCompletions: readonly Case[] = [
  ["no prompt", { model: "m" }, "prompt"],
  ["an empty list of prompts", { model: "m", prompt: [] }, "prompt"],
  ["a prompt that is an object", { model: "m", prompt: {} }, "prompt"],
  ["a prompt among others that is a number of another kind", { model: "m", prompt: ["x", 1] }, "prompt[1]"],
  ["a token that is not one", { model: "m", prompt: [2 ** 30] }, "prompt"],
  ["negative tokens", { model: "m", prompt: [-1] }, "prompt[0]"],
  ["a suffix", { model: "m", prompt: "x", suffix: "y" }, "suffix"],
  ["logprobs", { model: "m", prompt: "x", logprobs: 2 }, "logprobs"],
  ["the best of two", { model: "m", prompt: "x", best_of: 2 }, "best_of"],
  ["too many prompts", { model: "m", prompt: Array(65).fill("x") }, "prompt"],
];

const badEmbeddings: readonly Case[] = [
  ["no input", { model: "m" }, "input"],
  ["an empty input", { model: "m", input: "" }, "input"],
  ["an empty input among others", { model: "m", input: ["x", ""] }, "input[1]"],
  ["an unknown encoding", { model: "m", input: "x", encoding_format: "hex" }, "encoding_format"],
  ["dimensions", { model: "m", input: "x", dimensions: 8 }, "dimensions"],
];

describe("what the local model worker refuses", () => {
  let worker: WorkerUnderTest;
  beforeAll(async () => {
    worker = new WorkerUnderTest({ contextTokens: 128 });
    await worker.process.preload([demoModelPath()]);
  });
  afterAll(async () => await worker.stop());

  const routes = [
    ["/v1/chat/completions", badChats],
    ["/v1/completions", badCompletions],
    ["/v1/embeddings", badEmbeddings],
  ] as const;
  for (const [path, cases] of routes) {
    for (const [name, body, param] of cases) {
      test(`${path}: ${name}`, async () => {
        const response = await worker.request(path, body);
        const answer = await response.json();
        expect(answer).toMatchObject({ error: { type: "invalid_request_error", param } });
        expect(response.status).toBe(400);
        expect(answer.error.message).toBeString();
      });
    }
  }

  test("a prompt that is too long is told the numbers", async () => {
    const body = { model: "m", prompt: Array(200).fill(5) };
    const { error } = await (await worker.request("/v1/completions", body)).json();
    expect(error.code).toBe("context_length_exceeded");
    expect(error.message).toContain("128");
    expect(error.message).toContain("200");
  });

  test("the same refusals hold for a stream, with the same status", async () => {
    const body = { model: "m", prompt: Array(200).fill(5), stream: true };
    expect((await worker.request("/v1/completions", body)).status).toBe(400);
  });

  test("a request without the model's path, or for another route, is refused", async () => {
    const bare = await worker.request("/v1/completions", { model: "m", prompt: "x" }, { headers: {} });
    expect(bare.status).toBe(400);
    expect((await worker.request("/v1/nothing", {})).status).toBe(404);
    expect((await worker.request("/v1/completions")).status).toBe(404);
  });

  test("schemas that it can follow are followed", async () => {
    const good: readonly unknown[] = [
      { type: "boolean" },
      { const: 'a "quoted" \\ text\n' },
      { type: ["null", "boolean"] },
      { type: "object", properties: { a: { type: "null" }, b: { type: "boolean" } } },
      { type: "object", additionalProperties: false },
      { type: "array", items: { type: "boolean" }, minItems: 2, maxItems: 2 },
      { type: "array", maxItems: 0 },
      { type: "string", minLength: 2, maxLength: 3 },
      { title: "n", description: "d", anyOf: [{ type: "null" }, { enum: [1, "two", null] }] },
      { type: "integer", minimum: -2, maximum: 2 },
    ];
    for (const value of good) {
      const response = await worker.request("/v1/chat/completions", {
        ...schema(value),
        max_tokens: 60,
        seed: 3,
      });
      const answer = await response.json();
      expect(answer.choices?.[0].finish_reason).toBe("stop");
      JSON.parse(answer.choices[0].message.content);
    }
  });

  test("refusing keeps no slot", async () => {
    expect(await worker.load()).toEqual({ active: 0, queued: 0 });
    expect(worker.events.filter((event) => event.event === "internal-error")).toEqual([]);
  });
});
