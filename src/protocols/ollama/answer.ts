import { gatewayError } from "../../core/error.ts";
import { isRecord } from "../../core/json-object.ts";
import { reportedCount, tokenCounts } from "../../core/usage.ts";
import { JsonAnswerReader, parseJson } from "../answer-reader.ts";

type Json = Readonly<Record<string, unknown>>;
const decoder = new TextDecoder();

/**
 * Follows an answer of Ollama's native routes: one JSON object a line, the last with `done: true` and the counts.
 * Source: https://github.com/ollama/ollama/blob/main/docs/api.md
 */
export class OllamaAnswerReader extends JsonAnswerReader {
  constructor() {
    super("line");
  }

  protected override readFrame(frame: Uint8Array): Uint8Array {
    const line = parseJson(decoder.decode(frame));
    if (isRecord(line)) this.#readLine(line);
    return frame;
  }

  protected override readWhole(body: Json): void {
    this.#readLine(body);
  }

  #readLine(line: Json): void {
    if (typeof line["error"] === "string") {
      this.fail(gatewayError("provider_rejected", line["error"]));
      return;
    }
    this.produced(line["response"]);
    this.produced(line["thinking"]);
    if (isRecord(line["message"])) this.#readMessage(line["message"]);
    if (line["done"] !== true) return;
    this.#readCounts(line);
    this.end();
  }

  #readMessage(message: Json): void {
    this.produced(message["content"]);
    this.produced(message["thinking"]);
    if (Array.isArray(message["tool_calls"])) this.produced(JSON.stringify(message["tool_calls"]));
  }

  #readCounts(line: Json): void {
    const reason = line["done_reason"];
    // Loading and unloading a model generates nothing, and says so by leaving the counts out.
    const idle = reason === "load" || reason === "unload" ? 0 : undefined;
    const input = reportedCount(line["prompt_eval_count"]) ?? idle;
    const output = reportedCount(line["eval_count"]) ?? idle;
    if (input === undefined && output === undefined) return;
    this.usage = { source: "provider", tokens: tokenCounts({ ...NO_CACHE, input, output }) };
  }
}

const NO_CACHE = { cacheRead: undefined, cacheWrite: undefined, reasoning: undefined };

/** `/api/embed` answers once, with the input's count alone. */
export class OllamaEmbedReader extends JsonAnswerReader {
  constructor() {
    super("line");
  }

  protected override readFrame(frame: Uint8Array): Uint8Array {
    return frame;
  }

  protected override readWhole(body: Json): void {
    const input = reportedCount(body["prompt_eval_count"]);
    if (input === undefined) return;
    this.usage = { source: "provider", tokens: tokenCounts({ ...NO_CACHE, input, output: 0 }) };
  }
}
