import { isRecord } from "../../core/json-object.ts";
import type { Protocol } from "../../engine/ports.ts";
import { decodeJsonRequest, type RequestForm } from "../json-request.ts";
import { sseEvent } from "../sse.ts";
import { openAiErrorBody } from "./error.ts";

type Body = Readonly<Record<string, unknown>>;

/** One of OpenAI's routes, by what distinguishes its requests and answers. */
export function openAiProtocol(form: RequestForm, maxJsonDepth: number): Protocol {
  return {
    name: form.protocol,
    errorShape: "openai",
    // The header of OpenAI's clients that changes what the provider does.
    forwardedHeaders: ["openai-beta"],
    decodeRequest: (bytes) => decodeJsonRequest(form, bytes, maxJsonDepth),
    // The clients throw on a chunk that has `error`; no `[DONE]` follows.
    encodeStreamError: (error) => sseEvent(openAiErrorBody(error)),
  };
}

/** Whether the caller itself asked for usage at the end of the stream. */
export function asksForUsage(body: Body): boolean {
  const options = body["stream_options"];
  return isRecord(options) && options["include_usage"] === true;
}

/** A streamed answer carries usage only where it is asked for, so it always is. */
export function askForUsage(body: Body, stream: boolean): Record<string, unknown> | undefined {
  if (!stream || asksForUsage(body)) return undefined;
  const options = isRecord(body["stream_options"]) ? body["stream_options"] : {};
  return { stream_options: { ...options, include_usage: true } };
}
