// A long mixed load: eight of ten requests are plain, one is a short stream, one is given up half-way, in turn while
// its body is being sent, while the answer is awaited, and in the middle of a stream.
import type { Socket } from "bun";
import { eventsOf, plainBody, slowBody, streamBody } from "./shapes.ts";
import type { Started } from "./subject.ts";
import { postRequest, readAnswer, send, sendRest, type Target } from "./wire.ts";

type Kind = "plain" | "stream" | "abort-body" | "abort-wait" | "abort-stream";
type Job = { kind: Kind; done: () => void };
type Conn = { unsent: Buffer | undefined; held: Buffer | undefined; job: Job | undefined };
type Sock = Socket<Conn>;

const WORKERS = 64;
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
        const socket = kept[role] ?? (await this.#connect(this.subject[role]));
        await this.#ask(socket, kind);
        kept[role] = socket.readyState > 0 ? socket : undefined;
        if (++done % every === 0) sample(done);
      }
      kept.plain?.end();
      kept.streams?.end();
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
  }

  #connect(target: Target): Promise<Sock> {
    return Bun.connect<Conn>({
      hostname: "127.0.0.1",
      port: target.port,
      data: { unsent: undefined, held: undefined, job: undefined },
      socket: {
        data: (from, bytes) => this.#receive(from, bytes),
        drain: sendRest,
        close: (gone) => this.#lost(gone),
        error: (gone) => this.#lost(gone),
      },
    });
  }

  #ask(socket: Sock, kind: Kind): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.data.job = { kind, done: resolve };
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
    job?.done();
  }

  #abort(socket: Sock): void {
    const job = socket.data.job;
    socket.data.job = undefined;
    this.counts.aborted++;
    socket.terminate();
    job?.done();
  }

  #lost(socket: Sock): void {
    const job = socket.data.job;
    if (job === undefined) return;
    // A request that is to be given up may find the gateway was faster; that is no fault.
    if (job.kind.startsWith("abort")) this.counts.aborted++;
    else this.counts.dropped++;
    socket.data.job = undefined;
    job.done();
  }
}
