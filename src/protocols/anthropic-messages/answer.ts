import { gatewayError } from "../../core/error.ts";
import { isRecord } from "../../core/json-object.ts";
import { JsonAnswerReader, parseJson } from "../answer-reader.ts";
import { sseData } from "../sse.ts";
import { anthropicUsage, mergeUsage } from "./usage.ts";

type Json = Readonly<Record<string, unknown>>;

/** Follows an answer of the Messages API: https://docs.anthropic.com/en/docs/build-with-claude/streaming */
export class AnthropicAnswerReader extends JsonAnswerReader {
  #usage: Json | undefined;

  constructor() {
    super("blank-line");
  }

  protected override readFrame(frame: Uint8Array): Uint8Array {
    const data = sseData(frame);
    const event = data === undefined ? undefined : parseJson(data);
    if (isRecord(event)) this.#readEvent(event);
    return frame;
  }

  protected override readWhole(body: Json): void {
    if (body["type"] === "error") {
      this.fail(errorOf(body));
      return;
    }
    this.#readMessage(body);
  }

  #readEvent(event: Json): void {
    switch (event["type"]) {
      case "message_start":
        if (isRecord(event["message"])) this.#readMessage(event["message"]);
        break;
      case "content_block_start":
        if (isRecord(event["content_block"])) this.produced(event["content_block"]["text"]);
        break;
      case "content_block_delta":
        if (isRecord(event["delta"])) this.#readDelta(event["delta"]);
        break;
      case "message_delta":
        if (isRecord(event["usage"])) this.#addUsage(event["usage"]);
        break;
      case "message_stop":
        this.end();
        break;
      case "error":
        this.fail(errorOf(event));
        break;
      default: // ping, content_block_stop, and whatever is added one day: relayed, nothing to learn
    }
  }

  #readMessage(message: Json): void {
    if (isRecord(message["usage"])) this.#addUsage(message["usage"]);
    const { content } = message;
    if (!Array.isArray(content)) return;
    for (const block of content) if (isRecord(block)) this.produced(block["text"] ?? block["thinking"]);
  }

  #readDelta(delta: Json): void {
    this.produced(delta["text"] ?? delta["thinking"] ?? delta["partial_json"]);
  }

  #addUsage(usage: Json): void {
    this.#usage = mergeUsage(this.#usage, usage);
    this.usage = anthropicUsage(undefined, this.#usage);
  }
}

function errorOf(event: Json) {
  const { error } = event;
  const message = isRecord(error) && typeof error["message"] === "string" ? error["message"] : undefined;
  return gatewayError("provider_rejected", message ?? "The provider reported an error in its answer.");
}
