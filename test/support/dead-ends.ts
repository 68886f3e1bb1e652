/** Addresses behind which nobody answers. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { within } from "./within.ts";

export interface DeadEnd extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface SilentListener extends DeadEnd {
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Bytes received so far, on all connections. */
  readonly receivedBytes: number;
  /** Resolves when the first connection has come. */
  readonly firstConnection: Promise<void>;
}

/** Accepts connections and reads them, but never answers. */
export async function silentListener(): Promise<SilentListener> {
  const sockets = new Set<Socket>();
  const first = Promise.withResolvers<void>();
  const seen = { accepted: 0, bytes: 0 };
  const server = createServer((socket) => {
    seen.accepted += 1;
    sockets.add(socket);
    socket.on("data", (bytes: Buffer) => {
      seen.bytes += bytes.length;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    first.resolve();
  });
  const port = await listen(server);
  const close = () => shut(server, sockets);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    firstConnection: first.promise,
    get accepted() {
      return seen.accepted;
    },
    get receivedBytes() {
      return seen.bytes;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * A port that refuses connections and stays that way: it is held as the near end of an open connection, so
 * that no other test can be given it to listen on.
 */
export async function refusingPort(): Promise<DeadEnd> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  const holder = connect({ port: await listen(server), host: "127.0.0.1" });
  holder.on("error", () => undefined);
  await within("a port to hold", new Promise<void>((resolve) => holder.once("connect", () => resolve())));
  const port = holder.localPort;
  if (port === undefined) throw new Error("an open connection has no local port");
  sockets.add(holder);
  const close = () => shut(server, sockets);
  return { url: `http://127.0.0.1:${port}`, port, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      if (typeof address === "object" && address !== null) resolve(address.port);
      else reject(new Error("a TCP listener has no port"));
    });
  });
}

async function shut(server: Server, sockets: Set<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy();
  if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
}
