import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { checkGgufHead } from "./check-gguf-head.ts";
import { syncDirectory } from "./partial-file.ts";
import type { ProgressReporter } from "./progress-reporter.ts";
import { PullStop, systemErrorCode, throwIfCancelled } from "./pull-error.ts";

export type ImportJob = {
  readonly sourcePath: string;
  readonly targetPath: string;
  readonly fileName: string;
  readonly pinnedSha256: string | undefined;
  /** A second name for the same bytes instead of a copy, where the file system allows. */
  readonly hardLink: boolean;
  readonly ensureRoom: (neededBytes: number) => Promise<void>;
};

const bufferBytes = 1024 * 1024;

/**
 * Brings a file of this machine into the models directory: copied, or hard-linked (its mode is then left
 * alone, as it is the owner's own file). Read and hashed once either way; nothing appears at `targetPath`
 * unless it is a GGUF model with the expected checksum.
 */
export async function importFile(
  job: ImportJob,
  signal: AbortSignal | undefined,
  progress: ProgressReporter,
): Promise<{ sizeBytes: number; sha256: string }> {
  const temporary = `${job.targetPath}.partial`;
  const source = await openSource(job.sourcePath);
  try {
    await rm(temporary, { force: true });
    const inPlace = await isSameFile(job.sourcePath, job.targetPath);
    const linked = !inPlace && job.hardLink && (await tryLink(job.sourcePath, temporary));
    const copied = !inPlace && !linked;
    if (copied) await job.ensureRoom((await source.stat()).size);
    progress.beginFile();
    progress.enter(copied ? "download" : "verify", job.fileName);
    const target = copied ? await open(temporary, "wx", 0o600) : undefined;
    try {
      const result = await readThrough(job, source, target, signal, progress);
      await target?.sync();
      progress.enter("verify");
      if (job.pinnedSha256 !== undefined && job.pinnedSha256 !== result.sha256) {
        throw new PullStop(
          "checksum",
          `${job.sourcePath} has SHA-256 ${result.sha256}, not the given ${job.pinnedSha256}.`,
        );
      }
      if (!inPlace) await rename(temporary, job.targetPath);
      await syncDirectory(dirname(job.targetPath));
      return result;
    } finally {
      await target?.close();
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await source.close();
  }
}

/** Whether two paths lead to one file, be it by a link. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  try {
    const [first, second] = await Promise.all([stat(a), stat(b)]);
    return first.ino === second.ino && first.dev === second.dev;
  } catch {
    return false;
  }
}

/** SHA-256 and size of a file, read in pieces. */
export async function hashFile(
  path: string,
  signal: AbortSignal | undefined,
  progress: ProgressReporter,
): Promise<{ sizeBytes: number; sha256: string }> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    return await pump(handle, undefined, signal, progress, () => undefined);
  } finally {
    await handle.close();
  }
}

async function readThrough(
  job: ImportJob,
  source: FileHandle,
  target: FileHandle | undefined,
  signal: AbortSignal | undefined,
  progress: ProgressReporter,
): Promise<{ sizeBytes: number; sha256: string }> {
  let seen = false;
  const result = await pump(source, target, signal, progress, (first) => {
    seen = true;
    const problem = checkGgufHead(first.subarray(0, 64), job.sourcePath, null, true);
    if (problem !== undefined) throw problem;
  });
  if (!seen) throw new PullStop("not_gguf", `${job.sourcePath} is empty.`);
  return result;
}

async function pump(
  source: FileHandle,
  target: FileHandle | undefined,
  signal: AbortSignal | undefined,
  progress: ProgressReporter,
  onFirst: (bytes: Buffer) => void,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(bufferBytes);
  let sizeBytes = 0;
  for (;;) {
    throwIfCancelled(signal);
    const { bytesRead } = await source.read(buffer, 0, buffer.length, sizeBytes);
    if (bytesRead === 0) return { sizeBytes, sha256: hash.digest("hex") };
    const bytes = buffer.subarray(0, bytesRead);
    if (sizeBytes === 0) onFirst(bytes);
    hash.update(bytes);
    for (let written = 0; target !== undefined && written < bytesRead; ) {
      written += (await target.write(bytes, written, bytesRead - written, sizeBytes + written)).bytesWritten;
    }
    sizeBytes += bytesRead;
    progress.received(sizeBytes, bytesRead);
  }
}

async function openSource(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemErrorCode(error);
    const why = code === "EACCES" ? "cannot be read: check its permissions" : "does not exist";
    throw new PullStop(
      "not_found",
      `The file ${path} ${why}. If you meant a repository of the model hub, write hf:owner/repo.`,
    );
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new PullStop("not_gguf", `${path} is not a file.`);
}

async function tryLink(source: string, target: string): Promise<boolean> {
  try {
    await link(source, target);
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EXDEV" || code === "EPERM" || code === "EMLINK" || code === "ENOTSUP") return false;
    throw error;
  }
}
