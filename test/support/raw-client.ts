/**
 * A client that speaks TCP and nothing else, for the gateway's own side: half a request, a reader that stops,
 * a disconnect in the middle of a stream, garbage behind a request.
 */
import { connect, type Socket } from "node:net";
import { concat, fromUtf8, indexOfBytes, toBytes, utf8 } from "./bytes.ts";
import { type HttpMessage, headerOf, MessageReader } from "./http-message.ts";
import { type Headers, headerList } from "./script.ts";
import { within } from "./within.ts";

export interface RawResponse extends Omit<HttpMessage, "start"> {
  readonly status: number;
  readonly reason: string;
  header(name: string): string | undefined;
  text(): string;
  json(): unknown;
}

export interface RawClient extends AsyncDisposable {
  /** Resolves when the bytes were handed to the kernel; rejects when the connection is gone. */
  write(data: string | Uint8Array): Promise<void>;
  /** Takes everything up to and including the marker. Rejects when the connection ends before it, or at `limitBytes`. */
  readUntil(marker: string | Uint8Array, limitBytes?: number): Promise<Uint8Array>;
  /** Takes one complete response; the method is needed because an answer to HEAD has no body. */
  readResponse(requestMethod?: string): Promise<RawResponse>;
  /** Takes all that is left, once the other side has ended. */
  readToEnd(): Promise<Uint8Array>;
  /** Received and not yet taken. */
  readonly pending: Uint8Array;
  /** Bytes received so far. */
  readonly receivedBytes: number;
  /** Stops taking bytes from the kernel: its buffers fill and the sender is held up. */
  stopReading(): void;
  startReading(): void;
  /** Says "I send no more" (FIN) and keeps reading. */
  halfClose(): void;
  /** Breaks the connection (RST). */
  reset(): void;
  close(): Promise<void>;
  /** How the connection ended: the other side's FIN, its RST, or this client's own doing. */
  readonly closed: Promise<"ended" | "reset" | "local">;
}

/** Connects to the host and port of a URL, or to a Unix socket by its path. */
export async function rawClient(target: string): Promise<RawClient> {
  const socket = target.startsWith("/")
    ? connect({ path: target, allowHalfOpen: true })
    : connect({ ...addressOf(target), allowHalfOpen: true });
  await within(
    `a connection to ${target}`,
    new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve();
      });
    }),
  );
  socket.setNoDelay(true);
  return new Client(socket);
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Headers;
  /** A string or bytes go out as they are, anything else as JSON. */
  readonly body?: unknown;
}

/** The bytes of a plain request; `host`, `content-type` and `content-length` are added where they are missing. */
export function requestBytes({ method = "POST", path = "/", headers = {}, body }: RawRequest): Uint8Array {
  const payload =
    body === undefined
      ? new Uint8Array(0)
      : body instanceof Uint8Array || typeof body === "string"
        ? toBytes(body)
        : utf8(JSON.stringify(body));
  const given = headerList(headers);
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  const added: [string, string][] = [];
  if (!names.has("host")) added.push(["Host", "gateway.test"]);
  if (body !== undefined && !names.has("content-type")) added.push(["Content-Type", "application/json"]);
  if (body !== undefined && !names.has("content-length") && !names.has("transfer-encoding"))
    added.push(["Content-Length", String(payload.length)]);
  const lines = [...added, ...given].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return concat([utf8(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`), payload]);
}

class Client implements RawClient {
  readonly closed: Promise<"ended" | "reset" | "local">;
  readonly #socket: Socket;
  readonly #reader = new MessageReader();
  #changed = Promise.withResolvers<void>();
  #over = false;
  #byUs = false;
  receivedBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    const closed = Promise.withResolvers<"ended" | "reset" | "local">();
    this.closed = closed.promise;
    const leave = (how: "ended" | "reset") => {
      this.#over = true;
      closed.resolve(this.#byUs ? "local" : how);
      this.#notify();
    };
    socket.on("data", (bytes: Buffer) => {
      this.receivedBytes += bytes.length;
      this.#reader.push(new Uint8Array(bytes));
      this.#notify();
    });
    socket.on("error", () => leave("reset"));
    socket.on("end", () => leave("ended"));
    socket.on("close", () => leave("ended"));
  }

  get pending(): Uint8Array {
    return this.#reader.pending;
  }

  async write(data: string | Uint8Array): Promise<void> {
    if (this.#socket.destroyed) throw new Error("the connection is gone");
    const written = new Promise<void>((resolve, reject) => {
      this.#socket.write(toBytes(data), (failure) => (failure ? reject(failure) : resolve()));
    });
    const gone = this.closed.then(async (how) => {
      if (how !== "ended") throw new Error(`the connection is gone (${how})`);
      await written;
    });
    await within("bytes to be taken", Promise.race([written, gone]));
  }

  async readUntil(marker: string | Uint8Array, limitBytes = 16 * 1024 * 1024): Promise<Uint8Array> {
    const wanted = toBytes(marker);
    return await this.#when(`${JSON.stringify(fromUtf8(wanted))} on the raw client`, () => {
      const at = indexOfBytes(this.pending, wanted);
      if (at >= 0) return this.#reader.takeBytes(at + wanted.length);
      if (this.pending.length > limitBytes) throw new Error(`no marker in the first ${limitBytes} bytes`);
      return undefined;
    });
  }

  async readResponse(requestMethod = "POST"): Promise<RawResponse> {
    for (;;) {
      const message = await this.#when("a response on the raw client", () =>
        this.#reader.takeResponse(requestMethod, this.#over),
      );
      const response = rawResponse(message);
      if (response.status >= 200 || response.status === 101) return response;
    }
  }

  async readToEnd(): Promise<Uint8Array> {
    return await this.#when("the other side to end", () =>
      this.#over ? this.#reader.takeBytes(this.pending.length) : undefined,
    );
  }

  stopReading(): void {
    this.#socket.pause();
  }

  startReading(): void {
    this.#socket.resume();
  }

  halfClose(): void {
    this.#socket.end();
  }

  reset(): void {
    this.#byUs = true;
    this.#socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.#byUs = true;
    this.#socket.destroy();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #when<T>(what: string, take: () => T | undefined): Promise<T> {
    for (;;) {
      const changed = this.#changed.promise;
      const taken = take();
      if (taken !== undefined) return taken;
      if (this.#over) throw new Error(`the connection ended before ${what}; received: ${this.#sample()}`);
      await within(what, changed);
    }
  }

  #sample(): string {
    return JSON.stringify(new TextDecoder().decode(this.pending.subarray(0, 500)));
  }
}

function rawResponse(message: HttpMessage): RawResponse {
  const { start, ...rest } = message;
  return {
    ...rest,
    status: Number(start[1]),
    reason: start[2],
    header: (name) => headerOf(message.headers, name),
    text: () => fromUtf8(message.body),
    json: () => JSON.parse(fromUtf8(message.body)),
  };
}

function addressOf(url: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || (protocol === "https:" ? 443 : 80)) };
}
