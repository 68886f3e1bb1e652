import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A misbehaviour of one answer. Byte counts are of the answer's body. */
export type HubFault =
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  | { readonly kind: "html" }
  /**
   * The connection breaks after so many bytes, and not before `when` says so: a client may lose bytes that
   * were on the way, so a test that counts them waits until they have arrived.
   */
  | { readonly kind: "reset"; readonly afterBytes: number; readonly when?: () => boolean }
  /** After so many bytes nothing comes any more, and the connection stays open. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** A well-formed answer that is too short. */
  | { readonly kind: "truncate"; readonly afterBytes: number }
  | { readonly kind: "ignore-range" }
  | { readonly kind: "no-length" }
  /** Small pieces with a turn of the event loop between them. */
  | { readonly kind: "slow"; readonly pieceBytes: number }
  | { readonly kind: "redirect"; readonly location: string }
  | { readonly kind: "body"; readonly body: string; readonly contentType: string };

/** Which request a fault befalls: the metadata, the listing, the hub's redirect, or the content. */
export type HubStage = "info" | "tree" | "resolve" | "content";

export type HubRequest = {
  readonly stage: HubStage | "other";
  readonly url: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
};

type StoredFile = { bytes: Uint8Array; announcedSha256: string; etag: string | null };
type Repo = { files: Map<string, StoredFile>; license: string | undefined; gatedBy: string | undefined };

const commit = "0123456789abcdef0123456789abcdef01234567";
const cdnSignature = "X-Signature=do-not-log-me";

/**
 * Imitates the model hub: metadata, listing, `resolve` with a redirect to a second origin (the "CDN", which
 * refuses credentials as real ones do), ranges, ETags and checksums. Faults are queued per stage; each one
 * befalls one answer.
 */
export class ImitationHub {
  readonly requests: HubRequest[] = [];
  /** Entries per page of a listing. */
  pageSize = 1000;
  readonly #repos = new Map<string, Repo>();
  readonly #faults = new Map<HubStage, HubFault[]>();
  readonly #open = new Set<ServerResponse>();

  private constructor(
    private readonly hub: Server,
    private readonly cdn: Server,
  ) {}

  static async start(): Promise<ImitationHub> {
    const hub = createServer();
    const cdn = createServer();
    const imitation = new ImitationHub(hub, cdn);
    hub.on("request", (request, response) => imitation.#answerHub(request, response));
    cdn.on("request", (request, response) => imitation.#answerContent(request, response));
    await Promise.all(
      [hub, cdn].map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))),
    );
    return imitation;
  }

  get hubUrl(): string {
    return originOf(this.hub);
  }

  get cdnUrl(): string {
    return originOf(this.cdn);
  }

  /** The commit that every revision stands for. */
  get commit(): string {
    return commit;
  }

  /** Adds or replaces a repository. `gatedBy` is the only token that opens its files. */
  addRepo(
    title: string,
    files: Record<string, Uint8Array>,
    options: { license?: string; gatedBy?: string } = {},
  ): void {
    const stored = Object.entries(files).map(([path, bytes]) => [path, toStored(bytes)] as const);
    this.#repos.set(title, { files: new Map(stored), license: options.license, gatedBy: options.gatedBy });
  }

  replaceFile(title: string, path: string, bytes: Uint8Array): void {
    this.#repos.get(title)?.files.set(path, toStored(bytes));
  }

  /** Changes what is said of a file without changing the file. */
  misdescribe(title: string, path: string, said: { announcedSha256?: string; etag?: string | null }): void {
    const file = this.#repos.get(title)?.files.get(path);
    if (file !== undefined) Object.assign(file, said);
  }

  /** The next answers of `stage` misbehave, one fault each. */
  fail(stage: HubStage, ...faults: HubFault[]): void {
    this.#faults.set(stage, [...(this.#faults.get(stage) ?? []), ...faults]);
  }

  /** A direct address of a file's content, on the CDN. */
  contentUrl(title: string, path: string): string {
    return `${this.cdnUrl}/content/${title}/${path}?${cdnSignature}`;
  }

  requestsOf(stage: HubStage): HubRequest[] {
    return this.requests.filter((request) => request.stage === stage);
  }

  async stop(): Promise<void> {
    for (const response of this.#open) response.destroy();
    for (const server of [this.hub, this.cdn]) {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    }
  }

  #answerHub(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.hubUrl);
    const parts = url.pathname.split("/").slice(1).map(decodeURIComponent);
    const isApi = parts[0] === "api" && parts[1] === "models";
    const title = (isApi ? parts.slice(2, 4) : parts.slice(0, 2)).join("/");
    const stage = isApi
      ? parts[4] === "tree"
        ? "tree"
        : "info"
      : parts[2] === "resolve"
        ? "resolve"
        : "other";
    const fault = this.#record(stage, request);
    const repo = this.#repos.get(title);
    if (answerWithFault(response, fault)) return;
    if (repo === undefined) {
      sendError(response, 401, "RepoNotFound");
      return;
    }
    const revision = (isApi ? parts[5] : parts[3]) ?? "";
    if (revision !== "main" && revision !== commit) {
      sendError(response, 404, "RevisionNotFound");
      return;
    }
    if (stage === "info") {
      sendJson(response, { id: title, sha: commit, cardData: { license: repo.license } });
      return;
    }
    if (stage === "tree") {
      this.#sendTree(response, repo, url);
      return;
    }
    if (stage !== "resolve") {
      sendError(response, 404, "EntryNotFound");
      return;
    }
    this.#sendResolve(request, response, title, repo, parts.slice(4).join("/"));
  }

  #sendTree(response: ServerResponse, repo: Repo, url: URL): void {
    const entries = [...repo.files].map(([path, file]) => ({
      type: "file",
      oid: "0".repeat(40),
      size: file.bytes.length,
      path,
      ...(path.endsWith(".gguf")
        ? { lfs: { oid: file.announcedSha256, size: file.bytes.length, pointerSize: 135 } }
        : {}),
    }));
    const cursor = Number(url.searchParams.get("cursor") ?? "0");
    if (cursor + this.pageSize < entries.length) {
      url.searchParams.set("cursor", String(cursor + this.pageSize));
      response.setHeader("link", `<${url.href}>; rel="next"`);
    }
    const folder = { type: "directory", oid: "0".repeat(40), size: 0, path: "folder" };
    sendJson(response, [folder, ...entries.slice(cursor, cursor + this.pageSize)]);
  }

  #sendResolve(
    request: IncomingMessage,
    response: ServerResponse,
    title: string,
    repo: Repo,
    path: string,
  ): void {
    const authorization = request.headers.authorization;
    if (repo.gatedBy !== undefined && authorization !== `Bearer ${repo.gatedBy}`) {
      sendError(response, authorization === undefined ? 401 : 403, "GatedRepo");
      return;
    }
    const file = repo.files.get(path);
    if (file === undefined) {
      sendError(response, 404, "EntryNotFound");
      return;
    }
    const location = this.contentUrl(title, path);
    response.writeHead(302, {
      location,
      "x-repo-commit": commit,
      "x-linked-etag": `"${file.announcedSha256}"`,
      "x-linked-size": String(file.bytes.length),
      "accept-ranges": "bytes",
    });
    response.end(`Found. Redirecting to ${location}`);
  }

  #answerContent(request: IncomingMessage, response: ServerResponse): void {
    const fault = this.#record("content", request);
    if (request.headers.authorization !== undefined) {
      sendError(response, 400, "CredentialsOnCdn");
      return;
    }
    const url = new URL(request.url ?? "/", this.cdnUrl);
    const [, owner, repo, ...rest] = url.pathname.split("/").slice(1).map(decodeURIComponent);
    if (answerWithFault(response, fault)) return;
    const file = this.#repos.get(`${owner}/${repo}`)?.files.get(rest.join("/"));
    if (file === undefined) {
      sendError(response, 404, "EntryNotFound");
      return;
    }
    this.#open.add(response);
    response.on("close", () => this.#open.delete(response));
    void sendContent(request, response, file, fault);
  }

  #record(stage: HubRequest["stage"], request: IncomingMessage): HubFault | undefined {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    );
    this.requests.push({ stage, url: request.url ?? "", headers });
    return stage === "other" ? undefined : this.#faults.get(stage)?.shift();
  }
}

/** Sends a file, or the asked range of it, with the fault if there is one. */
async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  file: StoredFile,
  fault: HubFault | undefined,
): Promise<void> {
  const total = file.bytes.length;
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const condition = request.headers["if-range"];
  const inRange = asked !== null && fault?.kind !== "ignore-range" && (condition ?? file.etag) === file.etag;
  const start = inRange ? Number(asked[1]) : 0;
  if (file.etag !== null) response.setHeader("etag", file.etag);
  if (inRange && start >= total) {
    response.writeHead(416, { "content-range": `bytes */${total}` }).end();
    return;
  }
  const full = file.bytes.subarray(start);
  const body = fault?.kind === "truncate" ? full.subarray(0, fault.afterBytes) : full;
  if (fault?.kind !== "no-length") response.setHeader("content-length", body.length);
  if (inRange) response.setHeader("content-range", `bytes ${start}-${total - 1}/${total}`);
  response.writeHead(inRange ? 206 : 200, { "content-type": "application/octet-stream" });

  const limit = fault?.kind === "reset" || fault?.kind === "stall" ? fault.afterBytes : body.length;
  const pieceBytes = fault?.kind === "slow" ? fault.pieceBytes : 64 * 1024;
  for (let sent = 0; sent < limit && !response.destroyed; sent += pieceBytes) {
    await write(response, body.subarray(sent, Math.min(limit, sent + pieceBytes)));
    if (fault?.kind === "slow") {
      await new Promise((done) => setImmediate(done));
    }
  }
  if (fault?.kind === "stall") {
    response.flushHeaders();
    return;
  }
  if (fault?.kind === "reset") {
    while (fault.when?.() === false && !response.destroyed) await new Promise((done) => setImmediate(done));
    response.socket?.destroy();
    return;
  }
  response.end();
}

/** Resolves when the bytes have left for the kernel, or the client has. */
function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((done) => {
    response.once("close", done);
    response.write(bytes, () => {
      response.off("close", done);
      done();
    });
  });
}

function answerWithFault(response: ServerResponse, fault: HubFault | undefined): boolean {
  if (fault?.kind === "status") {
    response.writeHead(fault.status, fault.headers).end("the body of an error, which nobody should quote");
  } else if (fault?.kind === "html") {
    response
      .writeHead(200, { "content-type": "text/html" })
      .end("<!doctype html><title>Please log in</title>");
  } else if (fault?.kind === "body") {
    response.writeHead(200, { "content-type": fault.contentType }).end(fault.body);
  } else if (fault?.kind === "redirect") {
    response.writeHead(302, { location: fault.location }).end();
  } else {
    return false;
  }
  return true;
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function sendError(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { "x-error-code": code, "content-type": "application/json" });
  response.end(JSON.stringify({ error: code }));
}

function toStored(bytes: Uint8Array): StoredFile {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { bytes, announcedSha256: sha256, etag: `"${sha256.slice(0, 32)}"` };
}

function originOf(server: Server): string {
  const address = server.address() as AddressInfo;
  return `http://127.0.0.1:${address.port}`;
}
