/** Reads the three forms in which answers were recorded; see recordings.ts. */
import { concat, fromUtf8, utf8 } from "./bytes.ts";
import { isObject, property, stringAt } from "./json-access.ts";
import { madeUp, oddityOf } from "./recording-oddities.ts";
import type { RecordedRequest, Recording, RecordingProtocol } from "./recordings.ts";
import { sseFrame } from "./sse.ts";

type Found = readonly Recording[] | string;

/** `*.json` is a whole answer, `*.chunks.txt` one event per line without its framing, `*.sse` framed already. */
export function readAiSdkFile(file: string, bytes: Uint8Array): Found {
  const text = fromUtf8(bytes);
  if (file.endsWith(".json")) return readAiSdkAnswer(file, text);
  if (file.endsWith(".sse")) {
    const chunks = text
      .split("\n\n")
      .filter((event) => event.trim() !== "")
      .map((event) => utf8(`${event.trimEnd()}\n\n`));
    return [streamed(file, "openai-chat", chunks, "")];
  }
  if (file.endsWith(".chunks.txt")) return readAiSdkEvents(file, text);
  return "of no known kind";
}

function readAiSdkAnswer(file: string, text: string): Found {
  const answer: unknown = JSON.parse(text);
  if (file.endsWith("groq-transcription-text.json")) {
    const body = utf8(stringAt(answer, "body") ?? "");
    return [
      build(file, {
        protocol: "openai-transcription",
        headers: headersOf(property(answer, "headers")),
        body,
      }),
    ];
  }
  const protocol = protocolOfEvent(answer) ?? (file.includes("/responses/") ? "openai-responses" : undefined);
  if (protocol === undefined) return "a whole answer of no known protocol";
  // How a whole error was answered is not recorded; 429 is what OpenAI documents for a used-up quota.
  const status = isObject(property(answer, "error")) && property(answer, "output") === undefined ? 429 : 200;
  return [
    build(file, { protocol, status, headers: { "content-type": "application/json" }, body: utf8(text) }),
  ];
}

function readAiSdkEvents(file: string, text: string): Found {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const protocol = lines
    .map((line) => protocolOfEvent(parseOrUndefined(line)))
    .find((known) => known !== undefined);
  if (protocol === undefined) return "a stream of no known protocol";
  const answers = splitAfterTerminal(lines);
  return answers.map((answer, nth) => {
    const frames = answer.map((line) => restoreFrame(line));
    const typed = protocol === "openai-responses" || protocol === "anthropic-messages";
    const chunks = typed ? frames : [...frames, sseFrame({ data: "[DONE]" })];
    return streamed(file, protocol, chunks, answers.length === 1 ? "" : `#${nth + 1}`);
  });
}

/** Several answers were written into one file here and there: each ends at its terminal event. */
function splitAfterTerminal(lines: readonly string[]): string[][] {
  const answers: string[][] = [[]];
  for (const [at, line] of lines.entries()) {
    answers.at(-1)?.push(line);
    const ends = /^(message_stop|response\.(completed|incomplete|failed))$/.test(typeOfLine(line) ?? "");
    if (ends && at < lines.length - 1) answers.push([]);
  }
  return answers;
}

function restoreFrame(line: string): Uint8Array {
  const event = typeOfLine(line);
  return sseFrame(event === undefined ? { data: line } : { event, data: line });
}

/** Two lines of one file are not JSON; their type stands at the start all the same. */
function typeOfLine(line: string): string | undefined {
  const parsed = parseOrUndefined(line);
  return parsed === undefined ? /^\{"type":"([^"]+)"/.exec(line)?.[1] : stringAt(parsed, "type");
}

function protocolOfEvent(value: unknown): RecordingProtocol | undefined {
  const object = stringAt(value, "object");
  const type = stringAt(value, "type");
  if (object === "response" || type?.startsWith("response.")) return "openai-responses";
  if (object === "chat.completion" || object === "chat.completion.chunk") return "openai-chat";
  if (object === "text_completion") return "openai-completions";
  return type === "message" || type === "message_start" ? "anthropic-messages" : undefined;
}

/** A go-vcr cassette: YAML with `interactions`, each one request and its answer. */
export function readCassette(file: string, bytes: Uint8Array): Found {
  const cassette: unknown = Bun.YAML.parse(fromUtf8(bytes));
  const interactions = property(cassette, "interactions");
  if (!Array.isArray(interactions) || interactions.length === 0) return "a cassette without an interaction";
  return interactions.map((interaction: unknown, nth) => {
    const request = property(interaction, "request");
    const response = property(interaction, "response");
    const { pathname, search } = new URL(stringAt(request, "url") ?? "");
    const headers = headersOf(property(response, "headers"));
    const body = utf8(stringAt(response, "body") ?? "");
    return build(file, {
      nth: interactions.length === 1 ? "" : `#${nth + 1}`,
      protocol: protocolOfPath(pathname),
      request: recordedRequest(request, pathname + search, stringAt(request, "body") ?? ""),
      status: Number(property(response, "code")),
      headers,
      body,
      chunks: isEventStream(headers) ? cutAfterBlankLines(body) : [body],
    });
  });
}

/** `{ request, response }` as JSON, the answer as `body` or as the HTTP `chunks` it came in. */
export function readOllamaFile(file: string, bytes: Uint8Array): Found {
  const exchange: unknown = JSON.parse(fromUtf8(bytes));
  const request = property(exchange, "request");
  const response = property(exchange, "response");
  const path = stringAt(request, "path") ?? "";
  const sent = property(request, "body");
  const rawBody = stringAt(request, "rawBody") ?? (sent === undefined ? "" : JSON.stringify(sent));
  const pieces = property(response, "chunks");
  const chunks = Array.isArray(pieces)
    ? pieces.map((piece: unknown) => utf8(String(piece)))
    : [utf8(stringAt(response, "body") ?? "")];
  return [
    build(file, {
      protocol: protocolOfPath(path),
      request: recordedRequest(request, path, rawBody),
      status: Number(property(response, "status")),
      headers: headersOf(property(response, "headers")),
      body: concat(chunks),
      chunks,
    }),
  ];
}

function protocolOfPath(path: string): RecordingProtocol {
  const endings: readonly (readonly [RegExp, RecordingProtocol])[] = [
    [/\/chat\/completions$/, "openai-chat"],
    [/\/completions$/, "openai-completions"],
    [/\/v1\/embeddings$/, "openai-embeddings"],
    [/\/responses$/, "openai-responses"],
    [/\/v1\/models(\/|$)/, "openai-models"],
    [/\/messages$/, "anthropic-messages"],
    [/\/messages\/count_tokens$/, "anthropic-count-tokens"],
    [/^\/api\/chat$/, "ollama-chat"],
    [/^\/api\/generate$/, "ollama-generate"],
    [/^\/api\/embed$/, "ollama-embed"],
    [/^\/api\/embeddings$/, "ollama-embeddings"],
    [/^\/api\/(tags|show|version|ps|copy|delete)$/, "ollama-management"],
  ];
  return endings.find(([ending]) => ending.test(path))?.[1] ?? "ollama-other";
}

interface Parts {
  readonly protocol: RecordingProtocol;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
  readonly chunks?: readonly Uint8Array[];
  readonly nth?: string;
  readonly status?: number;
  readonly request?: RecordedRequest;
}

function streamed(
  file: string,
  protocol: RecordingProtocol,
  chunks: readonly Uint8Array[],
  nth: string,
): Recording {
  return build(file, {
    protocol,
    chunks,
    nth,
    body: concat(chunks),
    headers: { "content-type": "text/event-stream" },
  });
}

function build(file: string, parts: Parts): Recording {
  const id = file.replace(/\.(json|yaml|sse|chunks\.txt)$/, "") + (isStreamFile(file) ? ".stream" : "");
  const stream = isEventStream(parts.headers);
  const odd = oddityOf(file, { protocol: parts.protocol, stream, body: parts.body });
  return {
    id: id + (parts.nth ?? ""),
    collection: collectionOf(file),
    provider: providerOf(file),
    protocol: parts.protocol,
    ...(parts.request === undefined ? {} : { request: parts.request }),
    status: parts.status ?? 200,
    headers: parts.headers,
    stream,
    body: parts.body,
    chunks: parts.chunks ?? [parts.body],
    ...(odd === undefined ? {} : { knownOdd: odd }),
    madeUp: madeUp(file),
  };
}

/** An answer and its streamed twin share a name in the ai-sdk collection. */
function isStreamFile(file: string): boolean {
  return file.endsWith(".chunks.txt") || file.endsWith(".sse");
}

function collectionOf(file: string): Recording["collection"] {
  if (file.startsWith("ai-sdk/")) return "ai-sdk";
  return file.startsWith("ollama/") ? "ollama" : "openai-cassettes";
}

function providerOf(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1);
  if (file.startsWith("ollama/")) return "ollama";
  if (file.startsWith("openai-cassettes/")) return name.startsWith("azure") ? "azure" : "openai";
  if (name.startsWith("lmstudio")) return "lmstudio";
  if (name.startsWith("github-copilot")) return "github-copilot";
  const [, provider = "unknown"] = file.split("/");
  return provider === "open-responses" ? "openai" : provider;
}

function recordedRequest(request: unknown, path: string, body: string): RecordedRequest {
  return {
    method: stringAt(request, "method") ?? "GET",
    path,
    headers: headersOf(property(request, "headers")),
    bytes: utf8(body),
    body: parseOrUndefined(body),
  };
}

function headersOf(headers: unknown): Record<string, string> {
  if (!isObject(headers)) return {};
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name.toLowerCase(),
      Array.isArray(value) ? value.join(", ") : String(value),
    ]),
  );
}

function isEventStream(headers: Record<string, string>): boolean {
  return /event-stream|ndjson/.test(headers["content-type"] ?? "");
}

function cutAfterBlankLines(body: Uint8Array): Uint8Array[] {
  return fromUtf8(body)
    .split(/(?<=\n\n)/)
    .map((event) => utf8(event));
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
