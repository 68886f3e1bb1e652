// The smallest HTTP/1.1 client that can be trusted to check answers: raw sockets, so that the load costs little.
import type { Socket } from "bun";

export type Target = { port: number; path: string; headers: Record<string, string> };

/** What every connection here carries: the rest of what the socket did not take yet. */
export type Outgoing = { unsent: Buffer | undefined };

export function send<T extends Outgoing>(socket: Socket<T>, bytes: Buffer): void {
  const conn = socket.data;
  if (conn.unsent !== undefined) {
    conn.unsent = Buffer.concat([conn.unsent, bytes]);
    return;
  }
  const wrote = Math.max(0, socket.write(bytes));
  if (wrote < bytes.length) conn.unsent = bytes.subarray(wrote);
}

export function sendRest<T extends Outgoing>(socket: Socket<T>): void {
  const rest = socket.data.unsent;
  socket.data.unsent = undefined;
  if (rest !== undefined) send(socket, rest);
}

export function postRequest(target: Target, body: string): Buffer {
  const headers = {
    Host: `127.0.0.1:${target.port}`,
    "Content-Type": "application/json",
    "Content-Length": String(Buffer.byteLength(body)),
    ...target.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${target.path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
}

const HEAD_END = Buffer.from("\r\n\r\n");
const CHUNKED_END = Buffer.from("\r\n0\r\n\r\n");

export type Answer = { status: number; bodyBytes: number };

/**
 * The one answer in `bytes`, or undefined while it is not whole. Chunked bodies are recognised by their end,
 * which JSON cannot contain, and measured with the chunk sizes left out.
 */
export function readAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString("latin1", 0, headEnd);
  const status = Number(head.slice(9, 12));
  const start = headEnd + HEAD_END.length;
  const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const bodyBytes = Number(length);
    return bytes.length - start < bodyBytes ? undefined : { status, bodyBytes };
  }
  if (bytes.indexOf(CHUNKED_END, start - 2) < 0) return undefined;
  let bodyBytes = 0;
  for (let at = start; at < bytes.length; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    if (!(size > 0)) break;
    bodyBytes += size;
    at = lineEnd + 2 + size + 2;
  }
  return { status, bodyBytes };
}

/** The value below which a share of the sorted values lies. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
