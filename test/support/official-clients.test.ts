import { describe, expect, test } from "bun:test";
import type Anthropic from "@anthropic-ai/sdk";
import type { ChatRequest, GenerateRequest } from "ollama";
import type OpenAI from "openai";
import { fixture, fixtures, type WireFixture } from "./fixtures.ts";
import { anthropicClient, ollamaClient, openAiClient } from "./official-clients.ts";
import { replay } from "./replay.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";

describe("the official clients", () => {
  test("read our fixtures as we mean them", async () => {
    await using upstream = await scriptedUpstream();
    const split = { seed: 3 };

    const openAi = openAiClient(upstream.url, "sk-test");
    const chat = fixture("openai-chat/parallel-tool-calls-stream");
    upstream.reply("POST /v1/chat/completions", replay(chat, { split }));
    const completion = await openAi.chat.completions
      .stream({ model: "m", messages: [], stream: true })
      .finalChatCompletion();
    const calls = completion.choices[0]?.message.tool_calls?.map((call) =>
      call.type === "function"
        ? { id: call.id, name: call.function.name, arguments: call.function.arguments }
        : call,
    );
    expect<unknown>(calls).toEqual(chat.expect.toolCalls);
    expect((await upstream.next()).header("authorization")).toBe("Bearer sk-test");

    const anthropic = anthropicClient(upstream.url, "sk-ant-test");
    const messages = fixture("anthropic-messages/thinking-stream");
    upstream.reply("POST /v1/messages", replay(messages, { split }));
    const message = await anthropic.messages
      .stream({ model: "m", max_tokens: 9, messages: [] })
      .finalMessage();
    expect(message.content.map((block) => (block.type === "text" ? block.text : block.type))).toEqual([
      "thinking",
      messages.expect.text ?? "",
    ]);
    const asked = await upstream.next();
    // From 1.0 on this client sends its key as a bearer token.
    expect([asked.header("authorization"), asked.header("anthropic-version")]).toEqual([
      "Bearer sk-ant-test",
      "2026-10-21",
    ]);

    const ollama = ollamaClient(upstream.url, "key");
    const lines = fixture("ollama/chat-stream");
    upstream.reply("POST /api/chat", replay(lines, { split }));
    let text = "";
    for await (const part of await ollama.chat({ model: "m", stream: true })) text += part.message.content;
    expect(text).toBe(lines.expect.text ?? "");
    expect((await upstream.next()).header("authorization")).toBe("Bearer key");
  });

  test("find the expected text in every fixture, or throw its error", async () => {
    await using upstream = await scriptedUpstream();
    for (const one of fixtures()) {
      const { text, error } = one.expect;
      if (text === undefined && (error === undefined || one.protocol.includes("embed"))) continue;
      upstream.reply("*", replay(one));
      const got = await textByOfficialClient(one, upstream.url).catch((failure: Error) => failure);
      if (error === undefined) expect<unknown>([one.id, got]).toEqual([one.id, text]);
      else
        expect([one.id, got instanceof Error && got.message.includes(error.message)]).toEqual([one.id, true]);
    }
  });

  test("do not try again by themselves, and see the error", async () => {
    await using upstream = await scriptedUpstream();
    upstream.reply("*", replay(fixture("openai-chat/error-429-rate-limit")));
    const chat = async () =>
      await openAiClient(upstream.url, "k").chat.completions.create({ model: "m", messages: [] });
    await expect(chat()).rejects.toThrow("Rate limit reached");
    upstream.reply("*", replay(fixture("anthropic-messages/error-529-overloaded")));
    const { messages } = anthropicClient(upstream.url, "k");
    const message = async () => await messages.create({ model: "m", max_tokens: 1, messages: [] });
    await expect(message()).rejects.toThrow("Overloaded");
    upstream.reply("*", replay(fixture("ollama/error-404-no-such-model")));
    await expect(ollamaClient(upstream.url, "k").show({ model: "m" })).rejects.toThrow("not found");
    expect(upstream.requests.length).toBe(3);
    expect(upstream.unscripted.length).toBe(0);
  });
});

/** The fixture's body is what such a client would send: the cast says so. */
async function textByOfficialClient(
  { protocol, request, stream }: WireFixture,
  url: string,
): Promise<string> {
  switch (protocol) {
    case "openai-chat":
      return await chatText(request.body as OpenAI.ChatCompletionCreateParamsNonStreaming, stream, url);
    case "openai-completions":
      return await completionText(request.body as OpenAI.CompletionCreateParamsNonStreaming, stream, url);
    case "anthropic-messages":
      return await messageText(request.body as Anthropic.MessageCreateParamsNonStreaming, stream, url);
    case "ollama-chat":
      return await ollamaChatText(request.body as ChatRequest, stream, url);
    case "ollama-generate":
      return await ollamaGenerateText(request.body as GenerateRequest, stream, url);
    default:
      throw new Error(`no text is expected of ${protocol}`);
  }
}

async function chatText(body: OpenAI.ChatCompletionCreateParamsNonStreaming, stream: boolean, url: string) {
  const { completions } = openAiClient(url, "k").chat;
  const whole = stream
    ? await completions.stream({ ...body, stream: true }).finalChatCompletion()
    : await completions.create(body);
  return whole.choices[0]?.message.content ?? "";
}

async function completionText(body: OpenAI.CompletionCreateParamsNonStreaming, stream: boolean, url: string) {
  const { completions } = openAiClient(url, "k");
  if (!stream) return (await completions.create(body)).choices[0]?.text ?? "";
  let text = "";
  for await (const part of await completions.create({ ...body, stream: true }))
    text += part.choices[0]?.text ?? "";
  return text;
}

async function messageText(body: Anthropic.MessageCreateParamsNonStreaming, stream: boolean, url: string) {
  const { messages } = anthropicClient(url, "k");
  const whole = stream ? await messages.stream(body).finalMessage() : await messages.create(body);
  return whole.content.map((block) => (block.type === "text" ? block.text : "")).join("");
}

async function ollamaChatText(body: ChatRequest, stream: boolean, url: string) {
  const client = ollamaClient(url, "k");
  if (!stream) return (await client.chat({ ...body, stream: false })).message.content;
  let text = "";
  for await (const part of await client.chat({ ...body, stream: true })) text += part.message.content;
  return text;
}

async function ollamaGenerateText(body: GenerateRequest, stream: boolean, url: string) {
  const client = ollamaClient(url, "k");
  if (!stream) return (await client.generate({ ...body, stream: false })).response ?? "";
  let text = "";
  for await (const part of await client.generate({ ...body, stream: true })) text += part.response ?? "";
  return text;
}
