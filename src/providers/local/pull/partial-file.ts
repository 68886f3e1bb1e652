import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { throwIfCancelled } from "./pull-error.ts";

/** Which content a partial file is the beginning of. Kept beside it, so that a later run can judge. */
export type ContentIdentity = {
  /** The address without its query, or the hub path: no secrets. */
  readonly source: string;
  /** The ETag of the answer that carried the bytes. */
  readonly etag: string | null;
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
};

const readBufferBytes = 1024 * 1024;
const headBytes = 64;

/**
 * A download in progress: `<file>.partial`, and its identity in `<file>.partial.json`. Bytes are appended and
 * hashed in one go, and a write ends before the next read begins, so memory stays constant.
 */
export class PartialFile {
  #hash: Hash = createHash("sha256");
  #head = Buffer.alloc(0);
  #sizeBytes = 0;
  #identity: ContentIdentity | undefined;

  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** Opens or creates it, reading and hashing what is there; `onHashed` hears of the progress in bytes. */
  static async open(
    path: string,
    signal: AbortSignal | undefined,
    onHashed: (hashedBytes: number) => void,
  ): Promise<PartialFile> {
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const partial = new PartialFile(path, handle);
    try {
      partial.#identity = await readIdentity(sidecarPath(path));
      if (partial.#identity === undefined) await handle.truncate(0);
      else await partial.#hashExisting(signal, onHashed);
      return partial;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** `undefined` before the first `restart`. */
  get identity(): ContentIdentity | undefined {
    return this.#identity;
  }

  /** The first bytes, at most 64. */
  get head(): Buffer {
    return this.#head;
  }

  /** Begins again with nothing, as the beginning of `identity`. */
  async restart(identity: ContentIdentity): Promise<void> {
    await this.handle.truncate(0);
    this.#sizeBytes = 0;
    this.#hash = createHash("sha256");
    this.#head = Buffer.alloc(0);
    this.#identity = identity;
    const temporary = `${sidecarPath(this.path)}.new`;
    await writeFile(temporary, `${JSON.stringify(identity)}\n`, { mode: 0o600 });
    await rename(temporary, sidecarPath(this.path));
  }

  async append(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const result = await this.handle.write(
        bytes,
        written,
        bytes.length - written,
        this.#sizeBytes + written,
      );
      written += result.bytesWritten;
    }
    this.#absorb(bytes);
  }

  /** SHA-256 of everything so far, in lower-case hex. */
  sha256(): string {
    return this.#hash.copy().digest("hex");
  }

  /** Makes it durable and moves it to `target`, replacing what is there. The object is done with. */
  async moveTo(target: string): Promise<void> {
    try {
      await this.handle.chmod(0o600);
      await this.handle.sync();
    } finally {
      await this.handle.close();
    }
    await rename(this.path, target);
    await syncDirectory(dirname(target));
    await rm(sidecarPath(this.path), { force: true });
  }

  /** Leaves it on the disk for a later run. */
  async close(): Promise<void> {
    await this.handle.close();
  }

  /** Closes and deletes it with its identity. */
  async discard(): Promise<void> {
    await this.handle.close();
    await rm(this.path, { force: true });
    await rm(sidecarPath(this.path), { force: true });
  }

  async #hashExisting(
    signal: AbortSignal | undefined,
    onHashed: (hashedBytes: number) => void,
  ): Promise<void> {
    const buffer = Buffer.allocUnsafe(readBufferBytes);
    for (;;) {
      throwIfCancelled(signal);
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, this.#sizeBytes);
      if (bytesRead === 0) return;
      this.#absorb(buffer.subarray(0, bytesRead));
      onHashed(this.#sizeBytes);
    }
  }

  #absorb(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#sizeBytes += bytes.length;
    if (this.#head.length < headBytes) {
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, headBytes - this.#head.length)]);
    }
  }
}

/**
 * Whether two identities are the same bytes: equal SHA-256 if both know it, else an equal ETag. Without either
 * nothing is certain, and the answer is no. A different source or size is always no.
 */
export function isSameContent(a: ContentIdentity, b: ContentIdentity): boolean {
  if (a.source !== b.source) return false;
  if (a.sizeBytes !== null && b.sizeBytes !== null && a.sizeBytes !== b.sizeBytes) return false;
  if (a.sha256 !== null && b.sha256 !== null) return a.sha256 === b.sha256;
  return a.etag !== null && a.etag === b.etag;
}

/** Makes a rename durable. Some file systems cannot, and say so; the file itself is safe without it. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  await handle.sync().catch(() => undefined);
  await handle.close();
}

function sidecarPath(path: string): string {
  return `${path}.json`;
}

async function readIdentity(path: string): Promise<ContentIdentity | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof value !== "object" || value === null || !("source" in value)) return undefined;
    const { source, etag, sha256, sizeBytes } = value as Record<string, unknown>;
    if (typeof source !== "string") return undefined;
    return {
      source,
      etag: typeof etag === "string" ? etag : null,
      sha256: typeof sha256 === "string" ? sha256 : null,
      sizeBytes: typeof sizeBytes === "number" ? sizeBytes : null,
    };
  } catch {
    return undefined;
  }
}
