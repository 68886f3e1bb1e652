// Non-streaming load: connections that ask again as soon as they are answered (closed loop), or requests at a
// fixed rate whatever the answers do (open loop, latency counted from when the request was due).
import type { Socket } from "bun";
import { percentile, readAnswer, send, sendRest, type Target } from "./wire.ts";

type Conn = {
  unsent: Buffer | undefined;
  held: Buffer | undefined;
  /** When the request under way was due; undefined while the connection is idle. */
  since: number | undefined;
};

export type PlainCounts = {
  completed: number;
  /** Answers with another status than 200. */
  not200: number;
  /** Answers with status 200 whose body had another size than the one checked before. */
  wrongBody: number;
  /** Connections lost with a request under way. */
  dropped: number;
};
export type Latency = { p50Us: number; p99Us: number };

export type PlainOptions = {
  target: Target;
  request: Buffer;
  bodyBytes: number;
  connections: number;
  /** Requests per second; undefined for closed loop. */
  rate?: number;
};

const MAX_SAMPLES = 2_000_000;

export class PlainLoad {
  readonly counts: PlainCounts = { completed: 0, not200: 0, wrongBody: 0, dropped: 0 };
  #latencies = new Float64Array(4096);
  #sampled = 0;
  #running = false;
  #sockets = new Set<Socket<Conn>>();
  #idle: Socket<Conn>[] = [];
  #due: number[] = [];
  #lost = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly options: PlainOptions) {}

  async start(): Promise<void> {
    const { connections, rate } = this.options;
    // A few at a time: a thousand at once overflow the listen queue, and the kernel retries after a second.
    for (let opened = 0; opened < connections; opened += 50) {
      const batch = Math.min(50, connections - opened);
      await Promise.all(Array.from({ length: batch }, () => this.#connect()));
    }
    this.#running = true;
    if (rate === undefined) {
      for (const socket of this.#idle.splice(0)) this.#ask(socket, performance.now());
      return;
    }
    let asked = 0;
    const begin = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      for (const until = ((now - begin) / 1000) * rate; asked < until; asked++) {
        const due = begin + (asked * 1000) / rate;
        const socket = this.#idle.pop();
        if (socket === undefined) this.#due.push(due);
        // The timer's own grain is no latency of the gateway; waiting for a free connection is.
        else this.#ask(socket, now);
      }
    }, 1);
  }

  /** Forgets what was counted so far: the window begins. */
  mark(): void {
    this.#sampled = 0;
    Object.assign(this.counts, { completed: 0, not200: 0, wrongBody: 0, dropped: 0 });
  }

  latency(): Latency {
    const sorted = this.#latencies.slice(0, this.#sampled).sort();
    return { p50Us: percentile(sorted, 0.5) * 1000, p99Us: percentile(sorted, 0.99) * 1000 };
  }

  /** Lets the requests under way finish, for at most 30 s, and closes. */
  async stop(): Promise<void> {
    this.#running = false;
    clearInterval(this.#timer);
    const deadline = performance.now() + 30_000;
    while (performance.now() < deadline && [...this.#sockets].some((s) => s.data.since !== undefined)) {
      await Bun.sleep(10);
    }
    for (const socket of this.#sockets) socket.end();
  }

  async #connect(): Promise<void> {
    const socket = await Bun.connect<Conn>({
      hostname: "127.0.0.1",
      port: this.options.target.port,
      data: { unsent: undefined, held: undefined, since: undefined },
      socket: {
        data: (from, bytes) => this.#receive(from, bytes),
        drain: sendRest,
        close: (gone) => this.#closed(gone),
        error: (gone) => this.#closed(gone),
      },
    });
    this.#sockets.add(socket);
    this.#idle.push(socket);
    if (this.#running) this.#next(socket);
  }

  #ask(socket: Socket<Conn>, due: number): void {
    socket.data.since = due;
    send(socket, this.options.request);
  }

  #receive(socket: Socket<Conn>, arrived: Buffer): void {
    const conn = socket.data;
    const bytes = conn.held === undefined ? arrived : Buffer.concat([conn.held, arrived]);
    const answer = readAnswer(bytes);
    if (answer === undefined) {
      conn.held = Buffer.from(bytes);
      return;
    }
    conn.held = undefined;
    if (answer.status !== 200) this.counts.not200++;
    else if (answer.bodyBytes !== this.options.bodyBytes) this.counts.wrongBody++;
    else {
      this.counts.completed++;
      this.#sample(performance.now() - (conn.since ?? 0));
    }
    conn.since = undefined;
    this.#idle.push(socket);
    this.#next(socket);
  }

  /** Gives a connection that became free its next request. */
  #next(free: Socket<Conn>): void {
    if (!this.#running) return;
    const waiting = this.options.rate === undefined ? performance.now() : this.#due.shift();
    if (waiting === undefined) return;
    // In closed loop the free connection is always the last of the idle ones, since none stays idle.
    const socket = this.#idle.pop() ?? free;
    this.#ask(socket, waiting);
  }

  #sample(ms: number): void {
    if (this.#sampled === this.#latencies.length && this.#sampled < MAX_SAMPLES) {
      const grown = new Float64Array(this.#sampled * 2);
      grown.set(this.#latencies);
      this.#latencies = grown;
    }
    this.#latencies[this.#sampled] = ms;
    if (this.#sampled < MAX_SAMPLES) this.#sampled++;
  }

  #closed(socket: Socket<Conn>): void {
    if (!this.#sockets.delete(socket)) return;
    this.#idle = this.#idle.filter((other) => other !== socket);
    if (!this.#running) return;
    if (socket.data.since !== undefined) this.counts.dropped++;
    // A gateway may close an idle connection; one that refuses again and again must not be asked forever.
    if (++this.#lost < 10_000) this.#connect().catch(() => {});
  }
}
