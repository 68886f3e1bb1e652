import type { Protocol } from "../../engine/ports.ts";
import { askForUsage, asksForUsage, openAiProtocol } from "../openai/form.ts";
import { OpenAiAnswerReader } from "../openai-chat/answer.ts";

/** OpenAI's legacy Completions: https://platform.openai.com/docs/api-reference/completions */
export function openAiCompletions(maxJsonDepth: number): Protocol {
  return openAiProtocol(FORM, maxJsonDepth);
}

const FORM = {
  protocol: "openai-completions",
  defaultStream: false,
  textFields: ["prompt", "suffix"],
  check: ({ prompt }: Readonly<Record<string, unknown>>) =>
    prompt === undefined || prompt === null || typeof prompt === "string" || Array.isArray(prompt)
      ? undefined
      : "The field 'prompt' must be a string or a list.",
  patch: askForUsage,
  readAnswer: (body: Readonly<Record<string, unknown>>) => new OpenAiAnswerReader(!asksForUsage(body)),
} as const;
