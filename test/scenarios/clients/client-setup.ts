import type Anthropic from "@anthropic-ai/sdk";
import type { Ollama } from "ollama";
import type OpenAI from "openai";
import { providersYaml, startGateway, type TestGateway } from "../../support/gateway.ts";
import { anthropicClient, ollamaClient, openAiClient } from "../../support/official-clients.ts";
import { json } from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";

/** A gateway in front of a scripted upstream, and the official clients in front of the gateway. */
export interface Clients extends AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  readonly gateway: TestGateway;
  readonly openAi: OpenAI;
  readonly anthropic: Anthropic;
  readonly ollama: Ollama;
}

/** Serves `gpt-test`, `embed-test`, `claude-test` and `llama-test`. */
export async function startClients(): Promise<Clients> {
  const upstream = await scriptedUpstream();
  upstream.replyAlways("GET /api/tags", json(200, { models: [] }));
  const gateway = await startGateway({ yaml: providersYaml(upstream.url) });
  const { url, userKey } = gateway;
  return {
    upstream,
    gateway,
    openAi: openAiClient(url, userKey),
    anthropic: anthropicClient(url, userKey),
    ollama: ollamaClient(url, userKey),
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await upstream.close();
    },
  };
}

/** What a promise was rejected with. */
export async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
}
