/**
 * Server-sent events as bytes, both ways: an oracle of its own, which shares no code with the gateway's.
 * Written after https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import { fromUtf8, utf8 } from "./bytes.ts";

export interface SseEvent {
  readonly event?: string;
  /** A string goes out as it is; anything else as JSON. */
  readonly data: unknown;
}

export interface ParsedSseEvent {
  readonly event: string | undefined;
  readonly data: string;
}

/** One event per piece. */
export function sseFrame({ event, data }: SseEvent): Uint8Array {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  const dataLines = text
    .split("\n")
    .map((line) => `data: ${line}\n`)
    .join("");
  return utf8(`${event === undefined ? "" : `event: ${event}\n`}${dataLines}\n`);
}

/** As OpenAI's chat and completions stream: unnamed events, then `[DONE]`. */
export function openAiFrames(chunks: readonly unknown[], { done = true } = {}): Uint8Array[] {
  const frames = chunks.map((data) => sseFrame({ data }));
  return done ? [...frames, sseFrame({ data: "[DONE]" })] : frames;
}

/** As Anthropic's messages and OpenAI's Responses stream: the event's name is the `type` of its data. */
export function typedFrames(events: readonly { readonly type: string }[]): Uint8Array[] {
  return events.map((data) => sseFrame({ event: data.type, data }));
}

/** Splits a complete stream; comments are left out, an event cut off by the end of the stream is dropped. */
export function parseSse(bytes: Uint8Array): ParsedSseEvent[] {
  const text = fromUtf8(bytes).replace(/^\uFEFF/, "");
  const blocks = text.split(/\r\n\r\n|\n\n|\r\r/);
  blocks.pop();
  return blocks.flatMap((block) => {
    const fields = block.split(/\r\n|\n|\r/).map(fieldOf);
    const data = fields.filter(([name]) => name === "data").map(([, value]) => value);
    const event = fields.findLast(([name]) => name === "event")?.[1];
    return data.length === 0 ? [] : [{ event, data: data.join("\n") }];
  });
}

function fieldOf(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
}
