import type { GatewayError } from "../../core/error.ts";
import type { Protocol, ProtocolName } from "../../engine/ports.ts";
import { decodeJsonRequest, type RequestForm } from "../json-request.ts";
import { OllamaAnswerReader, OllamaEmbedReader } from "./answer.ts";
import { ollamaErrorBody } from "./error.ts";

type Body = Readonly<Record<string, unknown>>;

const encoder = new TextEncoder();

/** What Ollama's routes need to know of the configuration. */
export interface OllamaOptions {
  readonly maxJsonDepth: number;
  /** What `stream` means when a request does not say. Ollama itself streams. */
  readonly defaultStream: boolean;
}

/** `POST /api/chat`: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion */
export function ollamaChat(options: OllamaOptions): Protocol {
  return native("ollama-chat", ["messages", "tools", "format"], options, ({ messages }) =>
    messages === undefined || messages === null || Array.isArray(messages)
      ? undefined
      : "The field 'messages' must be a list of messages.",
  );
}

/** `POST /api/generate`: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-completion */
export function ollamaGenerate(options: OllamaOptions): Protocol {
  return native("ollama-generate", ["prompt", "system", "suffix", "format"], options, ({ prompt }) =>
    prompt === undefined || prompt === null || typeof prompt === "string"
      ? undefined
      : "The field 'prompt' must be a string.",
  );
}

/** `POST /api/embed`: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings */
export function ollamaEmbed(options: OllamaOptions): Protocol {
  return protocolOf(options.maxJsonDepth, {
    protocol: "ollama-embed",
    defaultStream: false,
    textFields: ["input"],
    check: ({ input }) =>
      input === undefined || typeof input === "string" || Array.isArray(input)
        ? undefined
        : "The field 'input' must be a string or a list of strings.",
    readAnswer: () => new OllamaEmbedReader(),
  });
}

function native(
  protocol: ProtocolName,
  textFields: readonly string[],
  options: OllamaOptions,
  check: (body: Body) => string | undefined,
): Protocol {
  return protocolOf(options.maxJsonDepth, {
    protocol,
    defaultStream: options.defaultStream,
    textFields,
    check,
    // Ollama streams when `stream` is absent; where the configuration says otherwise, it must be told.
    patch: (body, stream) => (typeof body["stream"] === "boolean" || stream ? undefined : { stream }),
    readAnswer: () => new OllamaAnswerReader(),
  });
}

function protocolOf(maxJsonDepth: number, form: RequestForm): Protocol {
  return {
    name: form.protocol,
    errorShape: "ollama",
    forwardedHeaders: [],
    decodeRequest: (bytes) => decodeJsonRequest(form, bytes, maxJsonDepth),
    encodeStreamError: (error: GatewayError) => encoder.encode(`${JSON.stringify(ollamaErrorBody(error))}\n`),
  };
}
