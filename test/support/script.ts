/**
 * What a scripted upstream does with one request, as a list of steps. A script may be a generator: then it
 * runs only as fast as the peer reads, which is how an endless stream is written.
 */
import { rechunk, type Split, toBytes, utf8 } from "./bytes.ts";
import type { HeaderList } from "./http-message.ts";
import { openAiFrames, type SseEvent, sseFrame, typedFrames } from "./sse.ts";
import type { Gate } from "./within.ts";

export type Headers = HeaderList | Readonly<Record<string, string>>;

export type Step =
  | { readonly do: "head"; readonly status: number; readonly reason: string; readonly headers: HeaderList }
  /** Bytes as they are, with no framing added. */
  | { readonly do: "bytes"; readonly bytes: Uint8Array }
  /** One chunk of a chunked body. */
  | { readonly do: "chunk"; readonly bytes: Uint8Array }
  | { readonly do: "wait"; readonly until: Promise<unknown> }
  /** Lets the event loop turn, so that what was written leaves as a piece of its own. */
  | { readonly do: "pause"; readonly turns: number }
  /** Ends the answer as its headers promise: the last chunk, nothing more, or a close. */
  | { readonly do: "end" }
  /** Closes the connection in good order (FIN), whatever was promised. */
  | { readonly do: "close" }
  /** Breaks the connection (RST). */
  | { readonly do: "reset" }
  /** Keeps the connection open and says nothing more. */
  | { readonly do: "hang" };

/** A script that does not end itself is ended as by `end()`. */
export type Script = Iterable<Step> | AsyncIterable<Step>;

export function head(status: number, headers: Headers = {}, reason = "Scripted"): Step {
  return { do: "head", status, reason, headers: headerList(headers) };
}

/** Starts a chunked body; the steps `chunk(...)` and `end()` follow. */
export function chunkedHead(status: number, headers: Headers = {}): Step {
  return head(status, [...headerList(headers), ["Transfer-Encoding", "chunked"]]);
}

export function bytes(data: string | Uint8Array): Step {
  return { do: "bytes", bytes: toBytes(data) };
}

export function chunk(data: string | Uint8Array): Step {
  const piece = toBytes(data);
  if (piece.length === 0) throw new RangeError("an empty chunk ends the body; use end()");
  return { do: "chunk", bytes: piece };
}

export function wait(until: Gate | Promise<unknown>): Step {
  return { do: "wait", until: "opened" in until ? until.opened : until };
}

export function pause(turns = 3): Step {
  return { do: "pause", turns };
}

export const end = (): Step => ({ do: "end" });
export const close = (): Step => ({ do: "close" });
export const reset = (): Step => ({ do: "reset" });
export const hang = (): Step => ({ do: "hang" });

/** A whole answer with a length. A string or bytes go out as they are, anything else as JSON. */
export function json(status: number, body: unknown, headers: Headers = {}): Step[] {
  const payload =
    body instanceof Uint8Array || typeof body === "string" ? toBytes(body) : utf8(JSON.stringify(body));
  const type = withDefault(headerList(headers), "Content-Type", "application/json");
  return [head(status, [...type, ["Content-Length", String(payload.length)]]), bytes(payload), end()];
}

export interface StreamOptions {
  readonly status?: number;
  readonly headers?: Headers;
  /** How the body is cut into chunks; the default is one chunk per event or line. */
  readonly split?: Split;
  /** A pause between chunks, so that they arrive apart. Default: only where `split` is given. */
  readonly paced?: boolean;
  /** How it goes on after the last piece; the default is `end()`. */
  readonly then?: readonly Step[];
}

/** A streamed answer of any kind: each piece one chunk. */
export function stream(
  pieces: readonly Uint8Array[],
  contentType: string,
  options: StreamOptions = {},
): Step[] {
  const { status = 200, headers = {}, split = "as-is", paced = options.split !== undefined } = options;
  const body = rechunk(pieces, split).flatMap((piece) => (paced ? [chunk(piece), pause()] : [chunk(piece)]));
  const head = chunkedHead(status, withDefault(headerList(headers), "Content-Type", contentType));
  return [head, ...body, ...(options.then ?? [end()])];
}

/** A string is sent as it is (so it carries its own line ends); an event is framed. */
export function sse(events: readonly (SseEvent | string)[], options: StreamOptions = {}): Step[] {
  const frames = events.map((event) => (typeof event === "string" ? utf8(event) : sseFrame(event)));
  return stream(frames, "text/event-stream", options);
}

/** OpenAI chat or completions: unnamed events and, unless `done` is false, `[DONE]`. */
export function openAiSse(
  chunks: readonly unknown[],
  options: StreamOptions & { done?: boolean } = {},
): Step[] {
  return stream(openAiFrames(chunks, { done: options.done ?? true }), "text/event-stream", options);
}

/** Anthropic messages or OpenAI Responses: each event named by its `type`. */
export function typedSse(events: readonly { readonly type: string }[], options: StreamOptions = {}): Step[] {
  return stream(typedFrames(events), "text/event-stream", options);
}

/** One JSON document per line; a string is sent as it is. */
export function ndjson(lines: readonly unknown[], options: StreamOptions = {}): Step[] {
  const pieces = lines.map((line) => utf8(typeof line === "string" ? line : `${JSON.stringify(line)}\n`));
  return stream(pieces, "application/x-ndjson", options);
}

/** Not HTTP at all. */
export function garbage(data: string | Uint8Array = "\x00\xff\x13\x37 this is no HTTP\r\n\r\n"): Step[] {
  return [bytes(data), close()];
}

/** Promises more than it sends, then closes in good order. */
export function closeEarly(
  body: string | Uint8Array,
  missing = 10,
  status = 200,
  headers: Headers = {},
): Step[] {
  const sent = toBytes(body);
  const type = withDefault(headerList(headers), "Content-Type", "application/json");
  return [head(status, [...type, ["Content-Length", String(sent.length + missing)]]), bytes(sent), close()];
}

export function headerList(headers: Headers): HeaderList {
  return isHeaderList(headers) ? headers : Object.entries(headers);
}

function isHeaderList(headers: Headers): headers is HeaderList {
  return Array.isArray(headers);
}

function withDefault(headers: HeaderList, name: string, value: string): HeaderList {
  const present = headers.some(([candidate]) => candidate.toLowerCase() === name.toLowerCase());
  return present ? headers : [[name, value], ...headers];
}
