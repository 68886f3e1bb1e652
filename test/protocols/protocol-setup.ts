import type { AnswerReader, InferenceRequest, Protocol } from "../../src/engine/ports.ts";
import { inferenceRoutes } from "../../src/protocols/registry.ts";
import { concat, rechunk, type Split, utf8 } from "../support/bytes.ts";

export const MAX_DEPTH = 32;

const routes = inferenceRoutes({ maxJsonDepth: MAX_DEPTH, ollamaDefaultStream: true });

/** The protocols under test, by name. */
export const PROTOCOLS: ReadonlyMap<string, Protocol> = new Map(
  routes.map(({ protocol }) => [protocol.name, protocol]),
);

/** The least body that each protocol takes, besides the model. */
export const LEAST: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "openai-chat": { messages: [] },
  "openai-completions": { prompt: "p" },
  "openai-embeddings": { input: "i" },
  "anthropic-messages": { messages: [] },
  "ollama-chat": {},
  "ollama-generate": {},
  "ollama-embed": {},
};

export function protocolNamed(name: string): Protocol {
  const found = PROTOCOLS.get(name);
  if (found === undefined) throw new Error(`no protocol ${name}`);
  return found;
}

/** Decodes a request that must be accepted. */
export function decode(protocol: string, body: Uint8Array | string): InferenceRequest {
  const decoded = protocolNamed(protocol).decodeRequest(typeof body === "string" ? utf8(body) : body);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
}

/** A reader of an answer to a request that asks for a stream and, where that exists, for usage. */
export function readerOf(protocol: string, options: { usageHidden?: boolean } = {}): AnswerReader {
  const usage = options.usageHidden ? {} : { stream_options: { include_usage: true } };
  const body = {
    model: "m",
    ...LEAST[protocol],
    stream: true,
    ...(protocol.startsWith("openai-") ? usage : {}),
  };
  return decode(protocol, JSON.stringify(body)).readAnswer();
}

/** Reads a stream as the relay does, and gives what was handed on. */
export function readStream(reader: AnswerReader, pieces: readonly Uint8Array[], split: Split): Uint8Array {
  const out = rechunk(pieces, split).map((piece) => reader.piece(piece).slice());
  return concat([...out, reader.rest()]);
}
