// Imitates an OpenAI-compatible provider at the lowest cost Bun allows: raw TCP and answers made once,
// because a benchmark in which the upstream is the slow part measures the upstream.
//
// A request body with "stream": true is streamed: `max_tokens` events, one each `seed` milliseconds
// (both are ordinary parameters that any gateway passes on). With "stream": false the fixed completion comes after
// `seed` milliseconds, and a body that does not say gets it at once.
import type { Socket } from "bun";
import { COMPLETION, DELTA_EVENT, DONE_EVENT, MODEL, USAGE_EVENT } from "./shapes.ts";
import { type Outgoing, send, sendRest } from "./wire.ts";

type Conn = Outgoing & {
  /** A request that came in pieces, kept until it is whole; not used for the rest of a large body. */
  held: Buffer | undefined;
  /** Bytes of a large body still to come: they are counted and thrown away. */
  skip: number;
};
type Sock = Socket<Conn>;
/** An answer under way; `left` counts the deltas still to send, and is -1 for a completion that is late. */
type Stream = { socket: Sock; left: number; every: number; begun: boolean };

const frame = (event: string): string => `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`;
const json = (body: string): Buffer => {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  return Buffer.from(`${head}\r\n\r\n${body}`);
};
const plainAnswer = json(COMPLETION);
const modelList = json(JSON.stringify({ object: "list", data: [{ id: MODEL, object: "model" }] }));
const streamHead = Buffer.from(
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n",
);
const deltaFrame = Buffer.from(frame(DELTA_EVENT));
const lastFrames = Buffer.from(`${frame(USAGE_EVENT)}${frame(DONE_EVENT)}0\r\n\r\n`);

/** Bodies larger than this are never streaming requests here, so they are counted and not looked at. */
const LOOK_LIMIT = 4096;
const GET = "G".charCodeAt(0);
const CHUNKED_END = Buffer.from("\r\n0\r\n\r\n");

// A wheel of one-millisecond slots. Streams are spread over the slots, so their events reach the gateway
// one by one; after a stall the wheel goes on from where it was instead of sending two events at once.
const wheel: Stream[][] = Array.from({ length: 4096 }, () => []);
let slot = 0;
let spread = 0;
let connections = 0;
let clockBase = performance.now();

const schedule = (stream: Stream, ms: number): void => {
  wheel[(slot + ms) % wheel.length]?.push(stream);
};

function turnWheel(): void {
  slot = (slot + 1) % wheel.length;
  const due = wheel[slot];
  if (due === undefined || due.length === 0) return;
  wheel[slot] = [];
  for (const stream of due) {
    if (stream.socket.readyState <= 0) continue;
    if (stream.left <= 0) {
      send(stream.socket, stream.left === 0 ? lastFrames : plainAnswer);
      continue;
    }
    stream.left--;
    send(stream.socket, deltaFrame);
    // The first event comes at once, so that the time to it is the gateway's; then each stream gets its own slots.
    schedule(stream, stream.begun ? stream.every : 1 + (spread++ % stream.every));
    stream.begun = true;
  }
}

function tick(): void {
  let passed = Math.floor(performance.now() - clockBase);
  if (passed > 4) {
    clockBase += passed - 4;
    passed = 4;
  }
  clockBase += passed;
  for (; passed > 0; passed--) turnWheel();
}

function answer(socket: Sock, body: Buffer | undefined): void {
  if (body?.includes('"stream"') === true) {
    // A chunked body carries its sizes around the JSON; the object is what lies between the outer braces.
    const text = body.toString("latin1");
    const asked: unknown = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
    const { stream, max_tokens, seed } = asked as { stream?: boolean; max_tokens?: number; seed?: number };
    const every = Math.min(Math.max(seed ?? 20, 1), wheel.length - 1);
    if (stream === true) {
      send(socket, streamHead);
      schedule({ socket, left: max_tokens ?? 16, every, begun: false }, 1);
    } else schedule({ socket, left: -1, every, begun: true }, every);
    return;
  }
  send(socket, plainAnswer);
}

/** What the benchmark asks between rounds, and what a gateway may ask when it starts. */
function answerGet(socket: Sock, head: string): void {
  const streams = wheel.flat().filter((stream) => stream.socket.readyState > 0).length;
  if (head.startsWith("GET /stats")) send(socket, json(JSON.stringify({ connections, streams })));
  else if (head.startsWith("GET /v1/models")) send(socket, modelList);
  else send(socket, plainAnswer);
}

/** Takes one request off the front of `bytes`; says how many bytes it had, or undefined to wait for more. */
function takeRequest(socket: Sock, bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const start = headEnd + 4;
  if (bytes[0] === GET) {
    answerGet(socket, bytes.toString("latin1", 0, headEnd));
    return start;
  }
  const head = bytes.toString("latin1", 0, headEnd);
  const given = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const length = Number(given ?? 0);
  if (given === undefined && /\ntransfer-encoding: *chunked/i.test(head)) {
    const end = bytes.indexOf(CHUNKED_END, start - 2);
    if (end < 0) return undefined;
    answer(socket, bytes.subarray(start, end));
    return end + CHUNKED_END.length;
  }
  const have = bytes.length - start;
  if (length <= LOOK_LIMIT) {
    if (have < length) return undefined;
    answer(socket, bytes.subarray(start, start + length));
    return start + length;
  }
  if (have < length) {
    socket.data.skip = length - have;
    return bytes.length;
  }
  answer(socket, undefined);
  return start + length;
}

function receive(socket: Sock, arrived: Buffer): void {
  const conn = socket.data;
  let bytes = arrived;
  if (conn.skip > 0) {
    if (bytes.length < conn.skip) {
      conn.skip -= bytes.length;
      return;
    }
    bytes = bytes.subarray(conn.skip);
    conn.skip = 0;
    answer(socket, undefined);
  }
  if (conn.held !== undefined) bytes = Buffer.concat([conn.held, bytes]);
  conn.held = undefined;
  while (bytes.length > 0) {
    const used = takeRequest(socket, bytes);
    if (used === undefined) {
      conn.held = Buffer.from(bytes);
      return;
    }
    bytes = bytes.subarray(used);
  }
}

const server = Bun.listen<Conn>({
  hostname: "127.0.0.1",
  port: Number(process.argv[2] ?? 0),
  socket: {
    open(socket) {
      connections++;
      socket.data = { held: undefined, skip: 0, unsent: undefined };
    },
    data: receive,
    drain: sendRest,
    close() {
      connections--;
    },
    error() {
      // A client that went away in the middle is part of the soak, not a fault of the upstream.
    },
  },
});
setInterval(tick, 1);
console.log(`listening ${server.port}`);
