import type { Protocol } from "../../engine/ports.ts";
import { JsonAnswerReader } from "../answer-reader.ts";
import { openAiProtocol } from "../openai/form.ts";
import { openAiUsage } from "../openai/usage.ts";

/** OpenAI Embeddings: https://platform.openai.com/docs/api-reference/embeddings */
export function openAiEmbeddings(maxJsonDepth: number): Protocol {
  return openAiProtocol(FORM, maxJsonDepth);
}

const FORM = {
  protocol: "openai-embeddings",
  defaultStream: false,
  textFields: ["input"],
  check: ({ input }: Readonly<Record<string, unknown>>) =>
    typeof input === "string" || Array.isArray(input)
      ? undefined
      : "The field 'input' must be a string or a list.",
  readAnswer: () => new EmbeddingsReader(),
} as const;

/** Embeddings are never streamed, and what they produce is not tokens: the output is known to be none. */
class EmbeddingsReader extends JsonAnswerReader {
  constructor() {
    super("blank-line");
  }

  protected override readFrame(frame: Uint8Array): Uint8Array {
    return frame;
  }

  protected override readWhole(body: Readonly<Record<string, unknown>>): void {
    const usage = openAiUsage(body["usage"]);
    if (usage !== undefined) this.usage = { ...usage, tokens: { ...usage.tokens, output: 0 } };
  }
}
