// Streaming load: holds many streams open and counts the events that arrive.
import type { Socket } from "bun";
import { eventsOf } from "./shapes.ts";
import { percentile, send, sendRest, type Target } from "./wire.ts";

type Conn = {
  unsent: Buffer | undefined;
  started: number;
  events: number;
  /** The last byte seen was a newline that may be the first half of an event's end. */
  newline: boolean;
  ok: boolean;
};

export type StreamCounts = {
  events: number;
  /** Pieces the events came in: equal to the events when they come one by one. */
  reads: number;
  opened: number;
  complete: number;
  not200: number;
  /** Streams that ended before their last event, or went on after it. */
  wrong: number;
};

const SEPARATOR = Buffer.from("\n\n");
const OK = Buffer.from("HTTP/1.1 200");
const NEWLINE = 10;

export class StreamLoad {
  readonly counts: StreamCounts = { events: 0, reads: 0, opened: 0, complete: 0, not200: 0, wrong: 0 };
  #sockets = new Set<Socket<Conn>>();
  #firstEvents: number[] = [];

  constructor(
    private readonly target: Target,
    private readonly request: Buffer,
    private readonly deltas: number,
  ) {}

  async start(streams: number): Promise<void> {
    for (let opened = 0; opened < streams; opened += 50) {
      const batch = Math.min(50, streams - opened);
      await Promise.all(Array.from({ length: batch }, () => this.#open()));
    }
  }

  /** Streams that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Streams of which at least one event has arrived. */
  get begun(): number {
    return this.#firstEvents.length;
  }

  /** Milliseconds from the request to the first event. */
  firstEvent(share: number): number {
    return percentile(
      this.#firstEvents.toSorted((a, b) => a - b),
      share,
    );
  }

  /** Waits until every stream has ended by itself; what is still open after `ms` counts as wrong. */
  async finish(ms: number): Promise<void> {
    const deadline = performance.now() + ms;
    while (this.#sockets.size > 0 && performance.now() < deadline) await Bun.sleep(20);
    this.abort();
  }

  /** Leaves all streams in the middle. */
  abort(): void {
    for (const socket of this.#sockets) socket.terminate();
  }

  async #open(): Promise<void> {
    const socket = await Bun.connect<Conn>({
      hostname: "127.0.0.1",
      port: this.target.port,
      data: { unsent: undefined, started: performance.now(), events: 0, newline: false, ok: false },
      socket: {
        data: (from, bytes) => this.#receive(from, bytes),
        drain: sendRest,
        close: (gone) => this.#closed(gone),
        error: (gone) => this.#closed(gone),
      },
    });
    this.#sockets.add(socket);
    this.counts.opened++;
    send(socket, this.request);
  }

  #receive(socket: Socket<Conn>, bytes: Buffer): void {
    const conn = socket.data;
    if (!conn.ok) {
      conn.ok = true;
      if (!bytes.subarray(0, OK.length).equals(OK)) {
        this.counts.not200++;
        socket.end();
        return;
      }
    }
    let found = 0;
    if (conn.newline && bytes[0] === NEWLINE) found++;
    for (let at = bytes.indexOf(SEPARATOR, found); at >= 0; at = bytes.indexOf(SEPARATOR, at + 2)) {
      found++;
    }
    conn.newline = bytes[bytes.length - 1] === NEWLINE && bytes[bytes.length - 2] !== NEWLINE;
    if (found === 0) return;
    if (conn.events === 0) this.#firstEvents.push(performance.now() - conn.started);
    conn.events += found;
    this.counts.events += found;
    this.counts.reads++;
    if (conn.events >= eventsOf(this.deltas)) socket.end();
  }

  #closed(socket: Socket<Conn>): void {
    if (!this.#sockets.delete(socket)) return;
    if (socket.data.events === eventsOf(this.deltas)) this.counts.complete++;
    else this.counts.wrong++;
  }
}
