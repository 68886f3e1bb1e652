import { mkdir, realpath, stat, statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isModelName } from "./derive-model-name.ts";
import { downloadFile } from "./download-file.ts";
import { DEFAULT_HUB_URL } from "./hub-address.ts";
import { hashFile, importFile, isSameFile } from "./import-file.ts";
import type { Fetch, Network } from "./network.ts";
import { isLoopbackHost, parseModelReference } from "./parse-model-reference.ts";
import { type PlannedFile, type PullPlan, planPull } from "./plan-pull.ts";
import { ProgressReporter, type PullProgress } from "./progress-reporter.ts";
import { type PullError, PullStop, systemErrorCode, throwIfCancelled, toPullError } from "./pull-error.ts";
import { withPullLock } from "./pull-lock.ts";
import { type PulledFile, type PullReceipt, readPullReceipt, writePullReceipt } from "./pull-receipt.ts";
import { formatBytes } from "./render-progress.ts";

export type PullOptions = {
  /** The models directory; created with mode 0700 if missing. */
  readonly directory: string;
  /** The model hub, for example from `HF_ENDPOINT`. Default: the public hub. */
  readonly hubUrl?: string;
  /** The hub's access token; sent to the origin of `hubUrl` only. */
  readonly token?: string;
  /** The model's name instead of the derived one; see `deriveModelName` for the rule, `isModelName` for the form. */
  readonly name?: string;
  /** The expected SHA-256 in hex; outranks the hub's own. Not for models of several files. */
  readonly sha256?: string;
  /** Pulls again what is there already, and replaces another model of the same name. */
  readonly force?: boolean;
  /** Allows http to other machines. */
  readonly allowInsecure?: boolean;
  /** Links a local file instead of copying it, where possible. */
  readonly hardLink?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
  /** The longest wait for the next bytes. Default: 30 s. */
  readonly idleTimeoutMs?: number;
  /** Failures in a row without progress before giving up. Default: 6. */
  readonly maxRetries?: number;
  readonly fetch?: Fetch;
  readonly sleep?: Network["sleep"];
  /** Bytes that may still be written to the directory's disk. */
  readonly freeBytes?: (directory: string) => Promise<number>;
  readonly now?: () => number;
};

export type PulledModel = {
  /** The model's file; of a model in parts the first, which is the one to load. */
  readonly path: string;
  readonly name: string;
  /** Of all files together. */
  readonly sizeBytes: number;
  /** Of the file at `path`, lower-case hex. */
  readonly sha256: string;
  /** `hf:owner/repo/path`, an address without its query, or `file:<path>`. */
  readonly source: string;
  /** The hub's commit that the files are from. */
  readonly commit?: string;
  /** The licence identifier on the hub's model card, for example `apache-2.0`. */
  readonly license?: string;
  /** In the order of the parts. */
  readonly files: readonly PulledFile[];
  /** Nothing was fetched: the model was complete before. */
  readonly alreadyThere: boolean;
};

export type PullResult =
  | { readonly ok: true; readonly model: PulledModel }
  | { readonly ok: false; readonly error: PullError };

/** Room that a pull leaves on the disk: a full one would stop the ledger too. */
const reservedBytes = 256 * 1024 * 1024;

/**
 * Brings a model into the models directory: from the model hub, an http(s) address or a local file. Downloads
 * continue where an earlier run stopped, and a file appears under its name only complete and checked.
 * Expected failures are values; see `PullErrorKind`. No message contains the token or an address's query.
 */
export async function pullModel(reference: string, options: PullOptions): Promise<PullResult> {
  const directory = resolve(options.directory);
  try {
    const network = networkOf(options);
    checkOptions(options, network);
    const parsed = parseModelReference(reference, { ...options, hubUrl: network.hubUrl });
    if ("error" in parsed) throw new PullStop("bad_reference", parsed.error);
    const progress = new ProgressReporter(shownReference(reference), options.onProgress, network.now);
    progress.enter("resolve");
    const plan = await planPull(parsed, network, options.name);
    if (plan.files.length > 1 && options.sha256 !== undefined) {
      throw new PullStop(
        "bad_reference",
        `${plan.name} has ${plan.files.length} files; one SHA-256 cannot check them.`,
      );
    }
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const pull = new Pull(plan, directory, options, network, progress);
    const model = await withPullLock(join(await realpath(directory), `${plan.name}.lock`), network.now, () =>
      pull.run(),
    );
    return { ok: true, model };
  } catch (error) {
    const known = toPullError(error, directory);
    if (known === undefined) throw error;
    return { ok: false, error: known };
  }
}

/** One pull under its lock. */
class Pull {
  constructor(
    private readonly plan: PullPlan,
    private readonly directory: string,
    private readonly options: PullOptions,
    private readonly network: Network,
    private readonly progress: ProgressReporter,
  ) {}

  async run(): Promise<PulledModel> {
    const { plan, directory, progress } = this;
    const receipt = await readPullReceipt(directory, plan.name);
    const present = new Map<PlannedFile, PulledFile>();
    for (const file of this.options.force === true ? [] : plan.files) {
      const found = await this.#findPresent(file, receipt);
      if (found !== undefined) present.set(file, found);
    }
    await this.#ensureRoomForAll(present);
    progress.totalBytes = total(plan.files.map((file) => file.sizeBytes ?? present.get(file)?.sizeBytes));

    const files: PulledFile[] = [];
    for (const file of plan.files) {
      const pulled = present.get(file) ?? (await this.#fetch(file));
      progress.finishFile(pulled.sizeBytes);
      files.push(pulled);
      // After every part, so that a pull stopped at the next one need not hash this one again.
      const { name, source, commit = null, license = null } = plan;
      await writePullReceipt(directory, { name, source, commit, license, files });
    }
    progress.totalBytes = total(files.map((file) => file.sizeBytes));
    progress.enter("done");
    return this.#model(files, present.size === plan.files.length);
  }

  /** The file if it is complete in the directory. Throws `name_taken` if another model's file is there. */
  async #findPresent(file: PlannedFile, receipt: PullReceipt | undefined): Promise<PulledFile | undefined> {
    const path = join(this.directory, file.fileName);
    const sizeBytes = await fileSize(path);
    if (sizeBytes === undefined) return undefined;
    const expected = this.options.sha256?.toLowerCase() ?? file.sha256;
    const listed = receipt?.files.find(
      (entry) => entry.fileName === file.fileName && entry.sizeBytes === sizeBytes,
    );
    const sameSource = receipt?.source === this.plan.source;
    const sameSize = (file.sizeBytes ?? sizeBytes) === sizeBytes;
    if (listed !== undefined && sameSize) {
      if (expected === undefined ? sameSource : listed.sha256 === expected) return listed;
    }
    if (expected !== undefined && listed === undefined && sameSize) {
      this.progress.enter("verify", file.fileName);
      const hashed = await hashFile(path, this.network.signal, this.progress);
      if (hashed.sha256 === expected) return { fileName: file.fileName, ...hashed };
    }
    // The same source with new content is an update; anything else would overwrite a stranger.
    if (sameSource || ("path" in file.from && (await isSameFile(file.from.path, path)))) return undefined;
    const owner = receipt === undefined ? "another file" : `the model from ${receipt.source}`;
    throw new PullStop(
      "name_taken",
      `The name ${this.plan.name} belongs to ${owner}. Choose another name, or force the pull to replace it.`,
    );
  }

  async #fetch(file: PlannedFile): Promise<PulledFile> {
    throwIfCancelled(this.network.signal);
    const job = {
      ...file,
      targetPath: join(this.directory, file.fileName),
      pinnedSha256: this.options.sha256?.toLowerCase(),
      ensureRoom: (neededBytes: number) => this.#ensureRoom(neededBytes),
      onSize: (sizeBytes: number | null) => {
        if (this.plan.files.length === 1) this.progress.totalBytes = sizeBytes;
      },
    };
    if ("url" in file.from) {
      const downloaded = await downloadFile({ ...job, url: file.from.url }, this.network, this.progress);
      return { fileName: file.fileName, ...downloaded };
    }
    const hardLink = this.options.hardLink === true;
    const imported = await importFile(
      { ...job, sourcePath: file.from.path, hardLink },
      this.network.signal,
      this.progress,
    );
    return { fileName: file.fileName, ...imported };
  }

  /** Checks before the first byte that all parts will fit, as far as their sizes are known. */
  async #ensureRoomForAll(present: ReadonlyMap<PlannedFile, PulledFile>): Promise<void> {
    let neededBytes = 0;
    for (const file of this.plan.files) {
      if (present.has(file)) continue;
      const partialBytes = await fileSize(join(this.directory, `${file.fileName}.partial`));
      neededBytes += Math.max(0, (file.sizeBytes ?? 0) - (partialBytes ?? 0));
    }
    await this.#ensureRoom(neededBytes);
  }

  async #ensureRoom(neededBytes: number): Promise<void> {
    if (neededBytes === 0) return;
    const freeBytes = await (this.options.freeBytes ?? freeBytesOf)(this.directory);
    if (neededBytes + reservedBytes <= freeBytes) return;
    throw new PullStop(
      "disk_full",
      `${this.plan.name} needs ${formatBytes(neededBytes)} more, and ${this.directory} has ${formatBytes(freeBytes)} free (${formatBytes(reservedBytes)} are kept for other use).`,
    );
  }

  #model(files: readonly PulledFile[], alreadyThere: boolean): PulledModel {
    const { name, source, commit, license } = this.plan;
    return {
      path: join(this.directory, files[0]?.fileName ?? ""),
      name,
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      sha256: files[0]?.sha256 ?? "",
      source,
      ...(commit === undefined ? {} : { commit }),
      ...(license === undefined ? {} : { license }),
      files,
      alreadyThere,
    };
  }
}

function networkOf(options: PullOptions): Network {
  return {
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    sleep: options.sleep ?? sleep,
    now: options.now ?? Date.now,
    signal: options.signal,
    idleTimeoutMs: options.idleTimeoutMs ?? 30_000,
    maxRetries: options.maxRetries ?? 6,
    allowInsecure: options.allowInsecure ?? false,
    hubUrl: (options.hubUrl ?? DEFAULT_HUB_URL).replace(/\/+$/, ""),
    token: options.token === "" ? undefined : options.token,
  };
}

function checkOptions(options: PullOptions, network: Network): void {
  const bad = (message: string) => new PullStop("bad_reference", message);
  const hub = URL.canParse(network.hubUrl) ? new URL(network.hubUrl) : undefined;
  if (hub === undefined || (hub.protocol !== "https:" && hub.protocol !== "http:") || hub.search !== "") {
    throw bad("The hub's address must be an https URL without a query.");
  }
  if (hub.protocol === "http:" && !isLoopbackHost(hub.hostname) && !network.allowInsecure) {
    throw bad(
      "The hub's address is http; anyone on the way could read the token and replace the model. Use https.",
    );
  }
  if (hub.username !== "" || hub.password !== "")
    throw bad("The hub's address must not contain credentials.");
  if (network.token !== undefined && !/^[\x21-\x7e]+$/.test(network.token)) {
    throw bad(
      "The hub token contains characters that no token has; it may have been pasted with a line break.",
    );
  }
  if (options.sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(options.sha256)) {
    throw bad("The SHA-256 must be 64 hexadecimal digits.");
  }
  if (options.name !== undefined && !isModelName(options.name)) {
    throw bad(
      "The name must consist of lower-case letters, digits and . _ - and begin with a letter or digit.",
    );
  }
}

function shownReference(reference: string): string {
  return (reference.trim().split(/[?#]/)[0] ?? "").slice(0, 200);
}

function total(sizes: readonly (number | undefined)[]): number | null {
  let sum = 0;
  for (const size of sizes) {
    if (size === undefined) return null;
    sum += size;
  }
  return sum;
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

function sleep(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve: wake } = Promise.withResolvers<void>();
  const timer = setTimeout(wake, delayMs);
  const onAbort = () => wake();
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  });
}
