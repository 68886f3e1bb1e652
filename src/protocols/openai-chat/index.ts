import type { Protocol } from "../../engine/ports.ts";
import { askForUsage, asksForUsage, openAiProtocol } from "../openai/form.ts";
import { OpenAiAnswerReader } from "./answer.ts";

/** OpenAI Chat Completions: https://platform.openai.com/docs/api-reference/chat */
export function openAiChat(maxJsonDepth: number): Protocol {
  return openAiProtocol(FORM, maxJsonDepth);
}

const FORM = {
  protocol: "openai-chat",
  defaultStream: false,
  textFields: ["messages", "tools", "response_format"],
  check: (body: Readonly<Record<string, unknown>>) =>
    Array.isArray(body["messages"]) ? undefined : "The field 'messages' must be a list of messages.",
  patch: askForUsage,
  readAnswer: (body: Readonly<Record<string, unknown>>) => new OpenAiAnswerReader(!asksForUsage(body)),
} as const;
