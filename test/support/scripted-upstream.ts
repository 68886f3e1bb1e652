/**
 * An upstream provider that does exactly what a test tells it, down to the byte: a plain TCP server, so that it
 * can break off, lie about lengths, cut inside a character, or say nothing at all. It binds to a port of its own.
 */
import { createServer, type Server, type Socket } from "node:net";
import { concat, fromUtf8 } from "./bytes.ts";
import { type HeaderList, type HttpMessage, headerOf, MessageReader } from "./http-message.ts";
import { json, type Script } from "./script.ts";
import { type AnswerEnd, playScript } from "./script-player.ts";
import { within } from "./within.ts";

export interface UpstreamRequest {
  readonly method: string;
  /** The target as it stood on the wire, query included. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  /** Which connection it came on, counted from 1: the same number twice is a reused connection. */
  readonly connection: number;
  /** The first value of a header, its name in any case. */
  header(name: string): string | undefined;
  text(): string;
  json(): unknown;
  /** Bytes of the answer handed to the socket so far; it stands still while the peer does not read. */
  sentBytes(): number;
  /** How the answer ended. */
  readonly ended: Promise<AnswerEnd>;
  /** Resolves when the peer went away before the answer was complete; rejects when the answer ended otherwise. */
  readonly closedByPeer: Promise<void>;
}

export type Reply = Script | ((request: UpstreamRequest) => Script | Promise<Script>);

export interface ScriptedUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:port`, without a slash at the end; for a Unix socket `http://localhost`. */
  readonly url: string;
  readonly port: number;
  /** Every complete request so far, in the order of arrival. */
  readonly requests: readonly UpstreamRequest[];
  /** Requests nobody had scripted: they were answered with 501. */
  readonly unscripted: readonly UpstreamRequest[];
  /** Connections accepted so far, and those open now. */
  readonly connections: { readonly accepted: number; readonly open: number };
  /** Queues answers for a route (`"POST /v1/messages"`, or `"*"`), one request each. They go before `replyAlways`. */
  reply(route: string, ...replies: Reply[]): void;
  /** Answers every request of a route that no queued answer is left for. Give a function or an array here. */
  replyAlways(route: string, reply: Reply): void;
  /** The next request that no earlier call of `next` returned, waiting for it if need be. */
  next(): Promise<UpstreamRequest>;
  /** Resolves once no connection is open. */
  idle(): Promise<void>;
  /** Breaks all connections and stops. Rejects when a script threw. */
  close(): Promise<void>;
}

export async function scriptedUpstream(options: { unixPath?: string } = {}): Promise<ScriptedUpstream> {
  const upstream = new Upstream();
  await upstream.listen(options.unixPath);
  return upstream;
}

class Upstream implements ScriptedUpstream {
  readonly requests: UpstreamRequest[] = [];
  readonly unscripted: UpstreamRequest[] = [];
  readonly #server: Server = createServer((socket) => void this.#serve(socket));
  readonly #queued = new Map<string, Reply[]>();
  readonly #standing = new Map<string, Reply>();
  readonly #sockets = new Set<Socket>();
  readonly #failures: unknown[] = [];
  #changed = Promise.withResolvers<void>();
  #accepted = 0;
  #returned = 0;
  #closed = false;
  port = 0;
  url = "http://localhost";

  listen(unixPath: string | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.once("listening", () => {
        const address = this.#server.address();
        if (typeof address === "object" && address !== null) {
          this.port = address.port;
          this.url = `http://127.0.0.1:${address.port}`;
        }
        resolve();
      });
      if (unixPath === undefined) this.#server.listen(0, "127.0.0.1");
      else this.#server.listen(unixPath);
    });
  }

  get connections() {
    return { accepted: this.#accepted, open: this.#sockets.size };
  }

  reply(route: string, ...replies: Reply[]): void {
    const queue = this.#queued.get(route) ?? [];
    this.#queued.set(route, [...queue, ...replies]);
  }

  replyAlways(route: string, reply: Reply): void {
    this.#standing.set(route, reply);
  }

  async next(): Promise<UpstreamRequest> {
    const wanted = this.#returned++;
    return await this.#when(`request ${wanted + 1} at the scripted upstream`, () => this.requests[wanted]);
  }

  async idle(): Promise<void> {
    await this.#when(
      "the scripted upstream's connections to close",
      () => this.#sockets.size === 0 || undefined,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    await this.idle();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, "a script of the upstream threw");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Waits until `answer` has one; looked at whenever a request or a connection came or went. */
  async #when<T>(what: string, answer: () => T | undefined): Promise<T> {
    for (;;) {
      const found = answer();
      if (found !== undefined) return found;
      await within(what, this.#changed.promise);
    }
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #serve(socket: Socket): Promise<void> {
    if (this.#closed) return void socket.destroy();
    const connection = ++this.#accepted;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    const incoming = new Incoming(socket);
    try {
      for (;;) {
        const message = await incoming.nextRequest();
        if (message === undefined) break;
        const keepOpen = await this.#answer(message, connection, socket, incoming);
        if (!keepOpen) break;
      }
    } catch (failure) {
      this.#failures.push(failure);
      socket.destroy();
    }
    await incoming.gone;
    this.#sockets.delete(socket);
    this.#notify();
  }

  async #answer(
    message: HttpMessage,
    connection: number,
    socket: Socket,
    incoming: Incoming,
  ): Promise<boolean> {
    let sent = 0;
    const ended = Promise.withResolvers<AnswerEnd>();
    const request = upstreamRequest(message, connection, () => sent, ended.promise);
    const reply = this.#replyFor(request);
    this.requests.push(request);
    this.#notify();
    try {
      const script = await Promise.race([scriptOf(reply, request), incoming.gone.then((): Script => [])]);
      const result = await playScript(script, {
        socket,
        gone: incoming.gone,
        sent: (count) => {
          sent += count;
        },
      });
      ended.resolve(result);
      const reusable =
        result === "complete" && headerOf(message.headers, "connection")?.toLowerCase() !== "close";
      if (!reusable && !socket.destroyed) socket.end();
      return reusable;
    } catch (failure) {
      ended.resolve("cut-by-script");
      throw failure;
    }
  }

  #replyFor(request: UpstreamRequest): Reply {
    const routes = [`${request.method} ${request.path}`, "*"];
    for (const route of routes) {
      const queued = this.#queued.get(route)?.shift();
      if (queued !== undefined) return queued;
    }
    for (const route of routes) {
      const standing = this.#standing.get(route);
      if (standing !== undefined) return standing;
    }
    this.unscripted.push(request);
    return json(501, { error: `the scripted upstream has no answer for ${routes[0]}` });
  }
}

/** The receiving half of a connection: complete requests, and the moment when the peer is gone. */
class Incoming {
  readonly gone: Promise<void>;
  readonly #reader = new MessageReader();
  #arrived = Promise.withResolvers<void>();
  #over = false;

  constructor(socket: Socket) {
    const gone = Promise.withResolvers<void>();
    const leave = () => {
      this.#over = true;
      this.#arrived.resolve();
      gone.resolve();
    };
    this.gone = gone.promise;
    socket.on("data", (bytes: Buffer) => {
      this.#reader.push(new Uint8Array(bytes));
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers<void>();
    });
    socket.on("error", leave);
    socket.on("end", leave);
    socket.on("close", leave);
  }

  async nextRequest(): Promise<HttpMessage | undefined> {
    for (;;) {
      const arrived = this.#arrived.promise;
      const request = this.#reader.takeRequest();
      if (request !== undefined) return request;
      if (this.#over) return undefined;
      await arrived;
    }
  }
}

function upstreamRequest(
  message: HttpMessage,
  connection: number,
  sentBytes: () => number,
  ended: Promise<AnswerEnd>,
): UpstreamRequest {
  const [method, target] = message.start;
  const { pathname, searchParams } = new URL(target, "http://upstream.invalid");
  const closedByPeer = ended.then((end) => {
    if (end !== "closed-by-peer") throw new Error(`the peer stayed: the answer ended as ${end}`);
  });
  closedByPeer.catch(() => undefined); // A test that does not ask for it must not fail by it.
  return {
    method,
    target,
    path: pathname,
    query: searchParams,
    headers: message.headers,
    body: concat([message.body]),
    connection,
    header: (name) => headerOf(message.headers, name),
    text: () => fromUtf8(message.body),
    json: () => JSON.parse(fromUtf8(message.body)),
    sentBytes,
    ended,
    closedByPeer,
  };
}

async function scriptOf(reply: Reply, request: UpstreamRequest): Promise<Script> {
  return typeof reply === "function" ? await reply(request) : reply;
}
