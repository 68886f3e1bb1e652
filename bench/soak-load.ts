// A long mixed load: eight of ten requests are plain, one is a short stream, one is given up half-way, in turn while
// its body is being sent, while the answer is awaited, and in the middle of a stream.
import type { Socket } from "bun";
import { eventsOf, plainBody, slowBody, streamBody } from "./shapes.ts";
import type { Started } from "./subject.ts";
import { postRequest, readAnswer, send, sendRest, type Target } from "./wire.ts";

type Kind = "plain" | "stream" | "abort-body" | "abort-wait" | "abort-stream";
/** `stale`: a connection kept from before was closed by the gateway just then, and the request is to be repeated. */
type Outcome = "done" | "stale";
type Job = { kind: Kind; since: number; done: (outcome: Outcome) => void };
type Conn = { unsent: Buffer | undefined; held: Buffer | undefined; job: Job | undefined; answers: number };
type Sock = Socket<Conn>;

const WORKERS = 64;
/** A request without an answer for so long is given up and counted as dropped. */
const PATIENCE_MS = 60_000;
const SHORT = 8;
const ENDLESS = 5000;
const ABORTS: Kind[] = ["abort-body", "abort-wait", "abort-stream"];

function kindOf(index: number): Kind {
  if (index % 10 === 9) return ABORTS[Math.floor(index / 10) % ABORTS.length] ?? "abort-wait";
  return index % 10 === 4 ? "stream" : "plain";
}

export class SoakLoad {
  readonly counts = { completed: 0, aborted: 0, not200: 0, wrong: 0, dropped: 0 };
  #requests: Record<Kind, Buffer>;
  #sockets = new Set<Sock>();

  constructor(
    private readonly subject: Started,
    private readonly bodyBytes: number,
  ) {
    const plain = postRequest(subject.plain, plainBody(2000));
    const endless = postRequest(subject.streams, streamBody(ENDLESS, 5));
    this.#requests = {
      plain,
      stream: postRequest(subject.streams, streamBody(SHORT, 2)),
      "abort-body": plain.subarray(0, plain.length >> 1),
      "abort-wait": postRequest(subject.plain, slowBody(2000, 100)),
      "abort-stream": endless,
    };
  }

  /** Does `total` requests, and calls `sample` after each `every` of them. */
  async run(total: number, every: number, sample: (done: number) => void): Promise<void> {
    let next = 0;
    let done = 0;
    const worker = async (): Promise<void> => {
      // Two connections, as plain answers and streams may be asked for at two ports.
      const kept: { plain: Sock | undefined; streams: Sock | undefined } = {
        plain: undefined,
        streams: undefined,
      };
      while (next < total) {
        const kind = kindOf(next++);
        const role = kind === "stream" || kind === "abort-stream" ? "streams" : "plain";
        let outcome: Outcome = "stale";
        while (outcome === "stale") {
          const before = kept[role];
          const usable = before !== undefined && before.readyState > 0;
          const socket = usable ? before : await this.#connect(this.subject[role]);
          outcome = await this.#ask(socket, kind);
          kept[role] = socket;
        }
        if (++done % every === 0) sample(done);
      }
      kept.plain?.end();
      kept.streams?.end();
    };
    const sweep = setInterval(() => {
      for (const socket of this.#sockets) {
        if (performance.now() - (socket.data.job?.since ?? Number.POSITIVE_INFINITY) > PATIENCE_MS)
          socket.terminate();
      }
    }, 1000);
    await Promise.all(Array.from({ length: WORKERS }, worker));
    clearInterval(sweep);
  }

  async #connect(target: Target): Promise<Sock> {
    const socket = await Bun.connect<Conn>({
      hostname: "127.0.0.1",
      port: target.port,
      data: { unsent: undefined, held: undefined, job: undefined, answers: 0 },
      socket: {
        data: (from, bytes) => this.#receive(from, bytes),
        drain: sendRest,
        close: (gone) => this.#lost(gone),
        error: (gone) => this.#lost(gone),
      },
    });
    this.#sockets.add(socket);
    return socket;
  }

  #ask(socket: Sock, kind: Kind): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    socket.data.job = { kind, since: performance.now(), done: resolve };
    send(socket, this.#requests[kind]);
    if (kind === "abort-body" || kind === "abort-wait") setTimeout(() => this.#abort(socket), 3);
    return promise;
  }

  #receive(socket: Sock, arrived: Buffer): void {
    const conn = socket.data;
    const job = conn.job;
    if (job === undefined || job.kind === "abort-body" || job.kind === "abort-wait") return;
    const bytes = conn.held === undefined ? arrived : Buffer.concat([conn.held, arrived]);
    conn.held = Buffer.from(bytes);
    if (job.kind === "plain") {
      const answer = readAnswer(bytes);
      if (answer !== undefined) this.#finish(socket, answer.status, answer.bodyBytes === this.bodyBytes);
      return;
    }
    const events = bytes.toString("latin1").split("\n\n").length - 1;
    if (job.kind === "abort-stream") {
      if (events >= 3) this.#abort(socket);
      return;
    }
    const ended = bytes.includes("\r\n0\r\n\r\n");
    const status = Number(bytes.toString("latin1", 9, 12));
    if (ended || status !== 200) this.#finish(socket, status, events === eventsOf(SHORT));
  }

  #finish(socket: Sock, status: number, right: boolean): void {
    const job = socket.data.job;
    socket.data.held = undefined;
    socket.data.job = undefined;
    if (status !== 200) this.counts.not200++;
    else if (right) this.counts.completed++;
    else this.counts.wrong++;
    socket.data.answers++;
    job?.done("done");
  }

  #abort(socket: Sock): void {
    const job = socket.data.job;
    socket.data.job = undefined;
    this.counts.aborted++;
    socket.terminate();
    job?.done("done");
  }

  #lost(socket: Sock): void {
    this.#sockets.delete(socket);
    const { job, answers, held } = socket.data;
    if (job === undefined) return;
    socket.data.job = undefined;
    // HTTP allows closing a kept connection at any time; a request that met that is sent again, as clients do.
    const waited = performance.now() - job.since;
    if (answers > 0 && held === undefined && waited < 1000) {
      job.done("stale");
      return;
    }
    // A request that is to be given up may find the gateway was faster; that is no fault.
    if (job.kind.startsWith("abort")) this.counts.aborted++;
    else this.counts.dropped++;
    job.done("done");
  }
}
