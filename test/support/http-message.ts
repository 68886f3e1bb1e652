/**
 * A small HTTP/1.1 reader for both directions, independent of the runtime's own. It is strict: what it cannot
 * read is an error, because in a test that is a finding.
 */
import { concat, fromUtf8, indexOfBytes, utf8 } from "./bytes.ts";

/** Headers in the order and spelling of the wire; a name may repeat. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface HttpMessage {
  /** The three words of the first line: method, target, version; or version, status, reason. */
  readonly start: readonly [string, string, string];
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  /** How the body's end was marked. */
  readonly framing: "none" | "length" | "chunked" | "until-close";
  /** The pieces of a chunked body, as the sender cut them. */
  readonly chunks: readonly Uint8Array[];
}

export interface MessageHead {
  readonly start: readonly [string, string, string];
  readonly headers: HeaderList;
}

export class BadHttp extends Error {
  override readonly name = "BadHttp";
}

const maxHeadBytes = 256 * 1024;
const maxBodyBytes = 128 * 1024 * 1024;
const blankLine = utf8("\r\n\r\n");
const lineEnd = utf8("\r\n");

/** The first value of a header, its name in any case. */
export function headerOf(headers: HeaderList, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return headers.find(([candidate]) => candidate.toLowerCase() === wanted)?.[1];
}

/** Reads messages from a growing buffer; what belongs to the next message stays in it. */
export class MessageReader {
  #buffer = new Uint8Array(16 * 1024);
  #from = 0;
  #to = 0;

  push(bytes: Uint8Array): void {
    const length = this.#to - this.#from;
    if (this.#to + bytes.length > this.#buffer.length) {
      const roomy = new Uint8Array(Math.max(this.#buffer.length, 2 * (length + bytes.length)));
      roomy.set(this.pending);
      this.#buffer = roomy;
      this.#from = 0;
      this.#to = length;
    }
    this.#buffer.set(bytes, this.#to);
    this.#to += bytes.length;
  }

  /** What was received and not yet taken. A view, good until the next `push`. */
  get pending(): Uint8Array {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  takeBytes(count: number): Uint8Array {
    const taken = this.pending.slice(0, count);
    this.#from += taken.length;
    return taken;
  }

  /** Takes a complete request, or answers undefined when more bytes are needed. */
  takeRequest(): HttpMessage | undefined {
    return this.#take((head) => (bodyLengthOf(head.headers) === undefined ? "none" : "length"), false);
  }

  /** Takes a complete response. `closed` says that no more bytes will come; then an open end is the end. */
  takeResponse(requestMethod: string, closed: boolean): HttpMessage | undefined {
    return this.#take((head) => {
      const status = Number(head.start[1]);
      if (requestMethod === "HEAD" || status === 204 || status === 304 || status < 200) return "none";
      return bodyLengthOf(head.headers) === undefined ? "until-close" : "length";
    }, closed);
  }

  #take(framingOf: (head: MessageHead) => HttpMessage["framing"], closed: boolean): HttpMessage | undefined {
    const pending = this.pending;
    const headEnd = indexOfBytes(pending, blankLine);
    if (headEnd < 0) {
      if (pending.length > maxHeadBytes) throw new BadHttp(`no end of headers in ${maxHeadBytes} bytes`);
      return undefined;
    }
    const head = parseHead(pending.subarray(0, headEnd));
    const bodyStart = headEnd + blankLine.length;
    const wanted = framingOf(head);
    const framing = wanted !== "none" && isChunked(head.headers) ? "chunked" : wanted;
    const available = pending.subarray(bodyStart);
    if (available.length > maxBodyBytes) throw new BadHttp(`a body over ${maxBodyBytes} bytes`);
    const read = readBody(framing, head.headers, available, closed);
    if (read === undefined) return undefined;
    const chunks = read.chunks.map((piece) => piece.slice());
    this.#from += bodyStart + read.used;
    return { ...head, body: concat(chunks), framing, chunks };
  }
}

export function parseHead(bytes: Uint8Array): MessageHead {
  const [startLine = "", ...lines] = fromUtf8(bytes).split("\r\n");
  const first = startLine.indexOf(" ");
  const second = startLine.indexOf(" ", first + 1);
  if (first < 1) throw new BadHttp(`not a start line: ${JSON.stringify(startLine.slice(0, 80))}`);
  const middle = second < 0 ? startLine.slice(first + 1) : startLine.slice(first + 1, second);
  const rest = second < 0 ? "" : startLine.slice(second + 1);
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new BadHttp(`not a header: ${JSON.stringify(line.slice(0, 80))}`);
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  return { start: [startLine.slice(0, first), middle, rest], headers };
}

function isChunked(headers: HeaderList): boolean {
  return headerOf(headers, "transfer-encoding")?.toLowerCase().includes("chunked") ?? false;
}

/** The promised length; 0 for a chunked body, whose length is told by the chunks. */
function bodyLengthOf(headers: HeaderList): number | undefined {
  if (isChunked(headers)) return 0;
  const value = headerOf(headers, "content-length");
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new BadHttp(`content-length: ${value}`);
  return Number(value);
}

interface BodyRead {
  readonly chunks: readonly Uint8Array[];
  readonly used: number;
}

function readBody(
  framing: HttpMessage["framing"],
  headers: HeaderList,
  available: Uint8Array,
  closed: boolean,
): BodyRead | undefined {
  switch (framing) {
    case "none":
      return { chunks: [], used: 0 };
    case "length": {
      const length = bodyLengthOf(headers) ?? 0;
      if (available.length < length) return undefined;
      return { chunks: length === 0 ? [] : [available.subarray(0, length)], used: length };
    }
    case "chunked":
      return readChunks(available).complete;
    case "until-close":
      return closed ? { chunks: [available], used: available.length } : undefined;
  }
}

/** The whole chunks in `bytes`, and the complete body where its last chunk is there. */
export function readChunks(bytes: Uint8Array): { chunks: Uint8Array[]; complete: BodyRead | undefined } {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const sizeEnd = indexOfBytes(bytes, lineEnd, at);
    if (sizeEnd < 0) return { chunks, complete: undefined };
    const sizeText = fromUtf8(bytes.subarray(at, sizeEnd)).split(";")[0] ?? "";
    if (!/^[0-9a-fA-F]{1,8}$/.test(sizeText))
      throw new BadHttp(`a chunk size of ${JSON.stringify(sizeText)}`);
    const size = Number.parseInt(sizeText, 16);
    const start = sizeEnd + lineEnd.length;
    const end = start + size;
    if (bytes.length < end + lineEnd.length) return { chunks, complete: undefined };
    if (size === 0) {
      const trailersEnd =
        bytes[start] === 13 ? start : indexOfBytes(bytes, blankLine, start) + lineEnd.length;
      if (trailersEnd < start) return { chunks, complete: undefined };
      return { chunks, complete: { chunks, used: trailersEnd + lineEnd.length } };
    }
    if (bytes[end] !== 13 || bytes[end + 1] !== 10) throw new BadHttp("a chunk without its line end");
    chunks.push(bytes.subarray(start, end));
    at = end + lineEnd.length;
  }
}
