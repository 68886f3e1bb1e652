import { gatewayError } from "../../core/error.ts";
import { isRecord, readJsonObject, withoutField } from "../../core/json-object.ts";
import { JsonAnswerReader, NOTHING, parseJson } from "../answer-reader.ts";
import { concat } from "../frames.ts";
import { openAiUsage } from "../openai/usage.ts";
import { sseData } from "../sse.ts";

/** How deep a chunk may be nested to be looked into; none goes a tenth as deep. */
const MAX_CHUNK_DEPTH = 128;
const USAGE = Buffer.from('"usage"');
const USAGE_NULL = Buffer.from(',"usage":null');

/**
 * Follows an answer of Chat Completions, and of legacy Completions, whose stream differs only in where the text is.
 * Source: https://platform.openai.com/docs/api-reference/chat-streaming
 */
export class OpenAiAnswerReader extends JsonAnswerReader {
  readonly #hideUsage: boolean;
  /** Indices of the choices that have begun and not finished, and of those that have. */
  readonly #unfinished = new Set<unknown>();
  readonly #finished = new Set<unknown>();

  /** `hideUsage`: the gateway asked for usage and the caller did not, so the caller must not see it. */
  constructor(hideUsage: boolean) {
    super("blank-line");
    this.#hideUsage = hideUsage;
  }

  protected override readFrame(frame: Uint8Array): Uint8Array {
    const data = sseData(frame);
    if (data === undefined) return frame;
    if (data === "[DONE]") {
      this.end();
      return frame;
    }
    const chunk = parseJson(data);
    if (!isRecord(chunk)) return frame;
    this.#readChunk(chunk);
    return this.#hideUsage ? withoutUsage(frame, chunk) : frame;
  }

  protected override readWhole(body: Readonly<Record<string, unknown>>): void {
    this.#readChunk(body);
  }

  #readChunk(chunk: Readonly<Record<string, unknown>>): void {
    const usage = openAiUsage(chunk["usage"]);
    // Usage ends nothing: some servers send it on every chunk, with the real figures on the last.
    if (usage !== undefined) this.usage = usage;
    const { error, choices } = chunk;
    if (error !== undefined && error !== null) this.fail(inStreamError(error));
    if (!Array.isArray(choices)) return;
    for (const choice of choices) {
      if (!isRecord(choice)) continue;
      this.#follow(choice["index"], typeof choice["finish_reason"] === "string");
      this.produced(choice["text"]);
      const delta = choice["delta"] ?? choice["message"];
      if (isRecord(delta)) this.#readDelta(delta);
    }
  }

  /** With `n` choices the answer is complete when each that began has finished. */
  #follow(index: unknown, finished: boolean): void {
    if (finished) {
      this.#finished.add(index);
      this.#unfinished.delete(index);
    } else if (!this.#finished.has(index)) {
      this.#unfinished.add(index);
    }
    this.complete = this.#finished.size > 0 && this.#unfinished.size === 0;
  }

  /** Text, or with some servers (Mistral's reasoning models) a list of parts. */
  #readContent(content: unknown): void {
    if (!Array.isArray(content)) {
      this.produced(content);
      return;
    }
    for (const part of content) {
      if (!isRecord(part)) continue;
      this.produced(part["text"]);
      if (Array.isArray(part["thinking"])) this.#readContent(part["thinking"]);
    }
  }

  #readDelta(delta: Readonly<Record<string, unknown>>): void {
    this.#readContent(delta["content"]);
    this.produced(delta["reasoning_content"] ?? delta["reasoning"]);
    this.produced(delta["refusal"]);
    if (!Array.isArray(delta["tool_calls"])) return;
    for (const call of delta["tool_calls"]) {
      if (isRecord(call) && isRecord(call["function"])) this.produced(call["function"]["arguments"]);
    }
  }
}

function inStreamError(error: unknown) {
  const message = isRecord(error) && typeof error["message"] === "string" ? error["message"] : undefined;
  return gatewayError("provider_rejected", message ?? "The provider reported an error in its answer.");
}

/** The chunk that exists only to carry usage goes; a `"usage":null` on the others goes. */
function withoutUsage(frame: Uint8Array, chunk: Readonly<Record<string, unknown>>): Uint8Array {
  const { usage, choices } = chunk;
  if (usage === undefined) return frame;
  if (isRecord(usage) && Array.isArray(choices) && choices.length === 0) return NOTHING;
  if (usage !== null) return frame;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const name = bytes.indexOf(USAGE);
  // Inside a JSON string the quotes would be escaped, so where the name stands once it is the field's own.
  const usual = bytes.indexOf(USAGE_NULL);
  if (usual === name - 1 && bytes.lastIndexOf(USAGE) === name) {
    return concat([frame.subarray(0, usual), frame.subarray(usual + USAGE_NULL.length)]);
  }
  const start = bytes.indexOf("{");
  const end = bytes.lastIndexOf("}") + 1;
  const object = readJsonObject(frame.subarray(start, end), MAX_CHUNK_DEPTH);
  if (!object.ok) return frame;
  return concat([frame.subarray(0, start), withoutField(object.value, "usage"), frame.subarray(end)]);
}
