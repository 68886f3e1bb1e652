import { isRecord } from "../../core/json-object.ts";
import { sseEvent } from "../sse.ts";
import { openAiErrorBody } from "./error.ts";

type Body = Readonly<Record<string, unknown>>;

/** Headers of OpenAI's clients that change what the provider does. */
export const OPENAI_FORWARDED_HEADERS = ["openai-beta"] as const;

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

/** OpenAI's clients throw on a chunk that has `error`; no `[DONE]` follows. */
export const openAiStreamError = (error: Parameters<typeof openAiErrorBody>[0]) =>
  sseEvent(openAiErrorBody(error));
