import type { Protocol } from "../engine/ports.ts";
import { anthropicMessages } from "./anthropic-messages/index.ts";
import { ollamaChat, ollamaEmbed, ollamaGenerate } from "./ollama/index.ts";
import { openAiChat } from "./openai-chat/index.ts";
import { openAiCompletions } from "./openai-completions/index.ts";
import { openAiEmbeddings } from "./openai-embeddings/index.ts";

export interface ProtocolOptions {
  readonly maxJsonDepth: number;
  /** What Ollama's own routes take `stream` to be when a request does not say. */
  readonly ollamaDefaultStream: boolean;
}

/** Every protocol that clients can speak, by the route it is served on. A new one is a folder and a line here. */
export function inferenceRoutes(options: ProtocolOptions): readonly { path: string; protocol: Protocol }[] {
  const ollama = { maxJsonDepth: options.maxJsonDepth, defaultStream: options.ollamaDefaultStream };
  const chat = openAiChat(options.maxJsonDepth);
  return [
    { path: "/v1/chat/completions", protocol: chat },
    { path: "/v1/ollama/chat/completions", protocol: chat },
    { path: "/v1/completions", protocol: openAiCompletions(options.maxJsonDepth) },
    { path: "/v1/embeddings", protocol: openAiEmbeddings(options.maxJsonDepth) },
    { path: "/v1/messages", protocol: anthropicMessages(options.maxJsonDepth) },
    { path: "/api/chat", protocol: ollamaChat(ollama) },
    { path: "/api/generate", protocol: ollamaGenerate(ollama) },
    { path: "/api/embed", protocol: ollamaEmbed(ollama) },
  ];
}
