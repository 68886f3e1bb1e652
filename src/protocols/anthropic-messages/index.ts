import type { Protocol } from "../../engine/ports.ts";
import { decodeJsonRequest } from "../json-request.ts";
import { sseEvent } from "../sse.ts";
import { AnthropicAnswerReader } from "./answer.ts";
import { anthropicErrorBody } from "./error.ts";

/** Anthropic Messages: https://docs.anthropic.com/en/api/messages */
export function anthropicMessages(maxJsonDepth: number): Protocol {
  return {
    name: "anthropic-messages",
    errorShape: "anthropic",
    forwardedHeaders: ["anthropic-version", "anthropic-beta"],
    decodeRequest: (bytes) => decodeJsonRequest(FORM, bytes, maxJsonDepth),
    // The clients need the event's name; nothing may follow it.
    encodeStreamError: (error, requestId) => sseEvent(anthropicErrorBody(error, requestId), "error"),
  };
}

const FORM = {
  protocol: "anthropic-messages",
  defaultStream: false,
  textFields: ["system", "messages", "tools"],
  check: ({ messages }: Readonly<Record<string, unknown>>) =>
    Array.isArray(messages) ? undefined : "The field 'messages' must be a list of messages.",
  readAnswer: () => new AnthropicAnswerReader(),
} as const;
