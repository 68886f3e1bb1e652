/** Each protocol that callers speak, as the scenarios need it: a request, an answer, a stream, and its errors. */
import { expect } from "bun:test";
import type { ErrorShape, ProtocolName } from "../../../src/engine/ports.ts";
import { fromUtf8, utf8 } from "../../support/bytes.ts";
import { property, stringAt } from "../../support/json-access.ts";
import { anthropicClient, ollamaClient, openAiClient } from "../../support/official-clients.ts";
import { end, json, type Step, stream } from "../../support/script.ts";
import { openAiFrames, parseSse, typedFrames } from "../../support/sse.ts";

export interface Spoken {
  readonly name: ProtocolName;
  readonly shape: ErrorShape;
  /** The route, which is the same at the gateway and at the provider. */
  readonly path: string;
  readonly model: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** A field that the gateway checks, with a value of the wrong type. */
  readonly wrongField: readonly [name: string, value: unknown];
  readonly whole: unknown;
}

export interface Streamed extends Spoken {
  readonly contentType: string;
  /** The events of a good answer; the text is "Hello". The last one is the terminal event. */
  readonly events: readonly Uint8Array[];
  /** How many of the events carry text. They come first, after `leading` others. */
  readonly leading: number;
  /** The provider's own error event. */
  errorEvent(message: string): Uint8Array;
  /** Reads the streamed answer with the official client and gives its text. */
  read(url: string, key: string, onText?: () => void): Promise<string>;
}

const MESSAGES = [{ role: "user", content: "Say hello." }];
const AT = "2026-01-01T00:00:00Z";

const chatChunk = (delta: object, finish: string | null = null) => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-test",
  choices: [{ index: 0, delta, finish_reason: finish }],
});

const completionChunk = (text: string, finish: string | null = null) => ({
  id: "cmpl-1",
  object: "text_completion",
  created: 1,
  model: "gpt-test",
  choices: [{ index: 0, text, finish_reason: finish, logprobs: null }],
});

const OPENAI_USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const OLLAMA_COUNTS = { prompt_eval_count: 3, eval_count: 2, total_duration: 5, done_reason: "stop" };

const lines = (values: readonly unknown[]) => values.map((value) => utf8(`${JSON.stringify(value)}\n`));
const openAiError = (message: string) =>
  utf8(`data: ${JSON.stringify({ error: { message, type: "server_error", param: null, code: null } })}\n\n`);
const ollamaError = (message: string) => utf8(`${JSON.stringify({ error: message })}\n`);

const OPENAI = { shape: "openai", contentType: "text/event-stream", errorEvent: openAiError } as const;
const OLLAMA = { shape: "ollama", contentType: "application/x-ndjson", errorEvent: ollamaError } as const;

export const STREAMED: readonly Streamed[] = [
  {
    ...OPENAI,
    name: "openai-chat",
    path: "/v1/chat/completions",
    model: "gpt-test",
    body: { messages: MESSAGES },
    wrongField: ["messages", "text"],
    whole: {
      id: "chatcmpl-1",
      object: "chat.completion",
      created: 1,
      model: "gpt-test",
      choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
      usage: OPENAI_USAGE,
    },
    leading: 1,
    events: openAiFrames([
      chatChunk({ role: "assistant", content: "" }),
      chatChunk({ content: "Hel" }),
      chatChunk({ content: "lo" }),
      chatChunk({}, "stop"),
      { ...chatChunk({}), choices: [], usage: OPENAI_USAGE },
    ]),
    async read(url, key, onText) {
      let text = "";
      const answer = await openAiClient(url, key).chat.completions.create({
        model: "gpt-test",
        stream: true,
        messages: [{ role: "user", content: "Say hello." }],
      });
      for await (const chunk of answer) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (text !== "") onText?.();
      }
      return text;
    },
  },
  {
    ...OPENAI,
    name: "openai-completions",
    path: "/v1/completions",
    model: "gpt-test",
    body: { prompt: "Say hello." },
    wrongField: ["prompt", { text: "x" }],
    whole: { ...completionChunk("Hello", "stop"), usage: OPENAI_USAGE },
    leading: 0,
    events: openAiFrames([
      completionChunk("Hel"),
      completionChunk("lo"),
      completionChunk("", "stop"),
      { ...completionChunk(""), choices: [], usage: OPENAI_USAGE },
    ]),
    async read(url, key, onText) {
      let text = "";
      const answer = await openAiClient(url, key).completions.create({
        model: "gpt-test",
        prompt: "Say hello.",
        stream: true,
      });
      for await (const chunk of answer) {
        text += chunk.choices[0]?.text ?? "";
        if (text !== "") onText?.();
      }
      return text;
    },
  },
  {
    name: "anthropic-messages",
    shape: "anthropic",
    contentType: "text/event-stream",
    path: "/v1/messages",
    model: "claude-test",
    body: { max_tokens: 16, messages: MESSAGES },
    wrongField: ["messages", { role: "user" }],
    whole: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-test",
      content: [{ type: "text", text: "Hello" }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { input_tokens: 3, output_tokens: 2 },
    },
    leading: 2,
    events: typedFrames([
      {
        type: "message_start",
        message: {
          id: "msg_1",
          type: "message",
          role: "assistant",
          model: "claude-test",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 3, output_tokens: 1 },
        },
      } as { type: string },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } } as {
        type: string;
      },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hel" } } as {
        type: string;
      },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "lo" } } as {
        type: string;
      },
      { type: "content_block_stop", index: 0 } as { type: string },
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 2 },
      } as { type: string },
      { type: "message_stop" },
    ]),
    errorEvent: (message) =>
      utf8(
        `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "overloaded_error", message } })}\n\n`,
      ),
    async read(url, key, onText) {
      let text = "";
      const answer = await anthropicClient(url, key).messages.create({
        model: "claude-test",
        max_tokens: 16,
        stream: true,
        messages: [{ role: "user", content: "Say hello." }],
      });
      for await (const event of answer) {
        if (event.type === "content_block_delta" && event.delta.type === "text_delta")
          text += event.delta.text;
        if (text !== "") onText?.();
      }
      return text;
    },
  },
  {
    ...OLLAMA,
    name: "ollama-chat",
    path: "/api/chat",
    model: "llama-test",
    body: { messages: MESSAGES },
    wrongField: ["messages", "text"],
    whole: {
      model: "llama-test",
      created_at: AT,
      message: { role: "assistant", content: "Hello" },
      done: true,
      ...OLLAMA_COUNTS,
    },
    leading: 0,
    events: lines([
      { model: "llama-test", created_at: AT, message: { role: "assistant", content: "Hel" }, done: false },
      { model: "llama-test", created_at: AT, message: { role: "assistant", content: "lo" }, done: false },
      {
        model: "llama-test",
        created_at: AT,
        message: { role: "assistant", content: "" },
        done: true,
        ...OLLAMA_COUNTS,
      },
    ]),
    async read(url, key, onText) {
      let text = "";
      const answer = await ollamaClient(url, key).chat({
        model: "llama-test",
        stream: true,
        messages: [{ role: "user", content: "Say hello." }],
      });
      for await (const part of answer) {
        text += part.message.content;
        if (text !== "") onText?.();
      }
      return text;
    },
  },
  {
    ...OLLAMA,
    name: "ollama-generate",
    path: "/api/generate",
    model: "llama-test",
    body: { prompt: "Say hello." },
    wrongField: ["prompt", 5],
    whole: { model: "llama-test", created_at: AT, response: "Hello", done: true, ...OLLAMA_COUNTS },
    leading: 0,
    events: lines([
      { model: "llama-test", created_at: AT, response: "Hel", done: false },
      { model: "llama-test", created_at: AT, response: "lo", done: false },
      { model: "llama-test", created_at: AT, response: "", done: true, ...OLLAMA_COUNTS },
    ]),
    async read(url, key, onText) {
      let text = "";
      const answer = await ollamaClient(url, key).generate({
        model: "llama-test",
        prompt: "Say hello.",
        stream: true,
      });
      for await (const part of answer) {
        text += part.response;
        if (text !== "") onText?.();
      }
      return text;
    },
  },
];

const EMBEDDINGS: readonly Spoken[] = [
  {
    name: "openai-embeddings",
    shape: "openai",
    path: "/v1/embeddings",
    model: "embed-test",
    body: { input: "Say hello." },
    wrongField: ["input", 5],
    whole: {
      object: "list",
      model: "embed-test",
      data: [{ object: "embedding", index: 0, embedding: [0.5, -0.5] }],
      usage: { prompt_tokens: 3, total_tokens: 3 },
    },
  },
  {
    name: "ollama-embed",
    shape: "ollama",
    path: "/api/embed",
    model: "llama-test",
    body: { input: "Say hello." },
    wrongField: ["input", 5],
    whole: { model: "llama-test", embeddings: [[0.5, -0.5]], prompt_eval_count: 3 },
  },
];

/** Every protocol; the embedding ones have no stream. */
export const SPOKEN: readonly Spoken[] = [...STREAMED, ...EMBEDDINGS];

/** The body of a request. Embeddings are never streamed, and know no `stream`. */
export function bodyOf(spoken: Spoken, streamed: boolean): Record<string, unknown> {
  const body = { model: spoken.model, ...spoken.body };
  return "events" in spoken ? { ...body, stream: streamed } : body;
}

export function post(
  url: string,
  key: string,
  spoken: Spoken,
  streamed: boolean,
  init: RequestInit = {},
): Promise<Response> {
  return fetch(url + spoken.path, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(bodyOf(spoken, streamed)),
    ...init,
  });
}

/** The provider's good answer to `bodyOf(spoken, streamed)`. */
export function goodAnswer(spoken: Spoken, streamed: boolean): Step[] {
  return streamed && isStreamed(spoken) ? partly(spoken, spoken.events.length) : json(200, spoken.whole);
}

/** The first events of a streamed answer, and how it goes on; by default it ends in good order. */
export function partly(spoken: Streamed, count: number, next: readonly Step[] = [end()]): Step[] {
  return [...stream(spoken.events.slice(0, count), spoken.contentType).slice(0, -1), ...next];
}

export function isStreamed(spoken: Spoken): spoken is Streamed {
  return "events" in spoken;
}

/** Checks that a body is an error in the protocol's own shape, and gives its message. */
export function errorMessage(
  shape: ErrorShape | "gateway",
  body: unknown,
  requestId?: string | null,
): string {
  const error = property(body, "error");
  if (shape === "ollama") {
    expect(error).toBeString();
    return String(error);
  }
  const message = stringAt(error, "message");
  expect(message).toBeString();
  expect(property(error, "type")).toBeString();
  if (shape === "openai") expect(error).toContainAllKeys(["message", "type", "param", "code"]);
  if (shape === "anthropic") {
    expect(property(body, "type")).toBe("error");
    expect(stringAt(body, "request_id")).toBe(requestId ?? stringAt(body, "request_id"));
  }
  return message ?? "";
}

/** The payloads of a streamed answer as the protocol frames them; throws where one is not JSON (save `[DONE]`). */
export function payloads(spoken: Streamed, bytes: Uint8Array): unknown[] {
  const texts =
    spoken.shape === "ollama"
      ? fromUtf8(bytes)
          .split("\n")
          .filter((line) => line !== "")
      : parseSse(bytes).map((event) => event.data);
  return texts.map((text) => (text === "[DONE]" ? text : JSON.parse(text)));
}
