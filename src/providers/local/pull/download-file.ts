import { checkGgufHead } from "./check-gguf-head.ts";
import { type Network, withRetries } from "./network.ts";
import { byteCount, type OpenedUrl, openUrl, throwForStatus } from "./open-url.ts";
import { type ContentIdentity, isSameContent, PartialFile } from "./partial-file.ts";
import type { ProgressReporter } from "./progress-reporter.ts";
import { PullStop, TransientFailure } from "./pull-error.ts";
import { formatBytes } from "./render-progress.ts";

export type DownloadJob = {
  readonly url: string;
  /** What the bytes come from, without secrets: the partial file's identity, and the name used in messages. */
  readonly source: string;
  /** The finished file; the partial one is `<targetPath>.partial`. */
  readonly targetPath: string;
  readonly fileName: string;
  /** From the hub's listing. */
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  /** From the caller; it outranks what the hub says. */
  readonly pinnedSha256: string | undefined;
  /** Hears the content's size as soon as it is known. */
  readonly onSize: (sizeBytes: number | null) => void;
  /** Fails with `disk_full` unless there is room for so many more bytes. */
  readonly ensureRoom: (neededBytes: number) => Promise<void>;
};

export type DownloadedFile = { readonly sizeBytes: number; readonly sha256: string };

/**
 * Downloads one file, continuing a partial one where that is certain to be the same content. The file appears
 * at `targetPath` only complete and checked. Throws `PullStop`; a partial file is kept except when its content
 * turned out wrong.
 */
export async function downloadFile(
  job: DownloadJob,
  network: Network,
  progress: ProgressReporter,
): Promise<DownloadedFile> {
  progress.beginFile();
  const partial = await PartialFile.open(`${job.targetPath}.partial`, network.signal, (hashedBytes) => {
    if (hashedBytes > 0) progress.enter("verify", job.fileName);
    progress.received(hashedBytes);
  });
  let settled = false;
  try {
    progress.received(partial.sizeBytes);
    progress.enter("download", job.fileName);
    if (!isComplete(job, partial)) {
      let mostBytes = partial.sizeBytes;
      await withRetries(
        network,
        () => downloadOnce(job, network, progress, partial),
        () => {
          const advanced = partial.sizeBytes > mostBytes;
          mostBytes = Math.max(mostBytes, partial.sizeBytes);
          return advanced;
        },
      );
    }
    progress.enter("verify");
    const result = { sizeBytes: partial.sizeBytes, sha256: partial.sha256() };
    const problem = contentProblem(job, partial, result.sha256);
    settled = true;
    if (problem !== undefined) {
      await partial.discard();
      throw problem;
    }
    await partial.moveTo(job.targetPath);
    return result;
  } catch (error) {
    if (settled) throw error;
    if (error instanceof PullStop && error.kind === "not_gguf") await partial.discard();
    else await partial.close();
    throw error;
  }
}

/** One request: continues or restarts the partial file and returns when the whole content is there. */
async function downloadOnce(
  job: DownloadJob,
  network: Network,
  progress: ProgressReporter,
  partial: PartialFile,
): Promise<void> {
  const opened = await openUrl(network, job.url, rangeHeaders(job, partial));
  try {
    const identity = await placeAnswer(job, network, partial, opened);
    progress.received(partial.sizeBytes);
    job.onSize(identity.sizeBytes);
    await job.ensureRoom(Math.max(0, (identity.sizeBytes ?? 0) - partial.sizeBytes));
    const contentType = opened.response.headers.get("content-type");
    for (let bytes = await opened.read(); bytes !== undefined; bytes = await opened.read()) {
      if (identity.sizeBytes !== null && partial.sizeBytes + bytes.length > identity.sizeBytes) {
        await partial.restart(identity);
        throw new TransientFailure("unreachable", `${job.source} sent more than the announced size.`);
      }
      await partial.append(bytes);
      progress.received(partial.sizeBytes, bytes.length);
      const problem = checkGgufHead(partial.head, job.source, contentType);
      if (problem !== undefined) throw problem;
    }
    if (identity.sizeBytes !== null && partial.sizeBytes < identity.sizeBytes) {
      const received = `${formatBytes(partial.sizeBytes)} of ${formatBytes(identity.sizeBytes)}`;
      throw new TransientFailure("unreachable", `${job.source} ended early, after ${received}.`);
    }
  } finally {
    opened.close();
  }
}

/** Brings the partial file into line with the answer's status and range, and tells what is being received. */
async function placeAnswer(
  job: DownloadJob,
  network: Network,
  partial: PartialFile,
  opened: OpenedUrl,
): Promise<ContentIdentity> {
  const { response } = opened;
  if (response.status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
    const fresh = identityOf(job, opened, byteCount(range?.[2] ?? null));
    const known = partial.identity;
    if (Number(range?.[1]) === partial.sizeBytes && known !== undefined && isSameContent(known, fresh)) {
      return { ...fresh, sizeBytes: fresh.sizeBytes ?? known.sizeBytes };
    }
    await partial.restart(fresh);
    throw new TransientFailure("unreachable", `${job.source} changed since the download began.`, 0);
  }
  if (response.status === 416 && partial.identity !== undefined) {
    await partial.restart(partial.identity);
    throw new TransientFailure("unreachable", `${job.source} is shorter than what was already received.`, 0);
  }
  if (response.status !== 200) throwForStatus(response, job.source, network);
  const identity = identityOf(job, opened, byteCount(response.headers.get("content-length")));
  await partial.restart(identity);
  return identity;
}

/** `Range` with `If-Range` (RFC 9110, 13.1.5: strong ETags only) when there is something sure to build on. */
function rangeHeaders(job: DownloadJob, partial: PartialFile): Record<string, string> {
  const known = partial.identity;
  if (known === undefined || partial.sizeBytes === 0 || known.source !== job.source) return {};
  if (known.etag === null && known.sha256 === null) return {};
  const expected = job.pinnedSha256 ?? job.sha256;
  if (expected !== undefined && known.sha256 !== null && known.sha256 !== expected) return {};
  const range = `bytes=${partial.sizeBytes}-`;
  const strong = known.etag !== null && !known.etag.startsWith("W/");
  return strong && known.etag !== null ? { range, "if-range": known.etag } : { range };
}

function identityOf(job: DownloadJob, opened: OpenedUrl, contentBytes: number | undefined): ContentIdentity {
  return {
    source: job.source,
    etag: opened.response.headers.get("etag"),
    sha256: job.pinnedSha256 ?? opened.linkedSha256 ?? job.sha256 ?? null,
    sizeBytes: opened.linkedSizeBytes ?? job.sizeBytes ?? contentBytes ?? null,
  };
}

/** A partial file that only waits to be checked and renamed: an earlier run was stopped just there. */
function isComplete(job: DownloadJob, partial: PartialFile): boolean {
  const known = partial.identity;
  const expected = job.pinnedSha256 ?? job.sha256;
  return (
    known !== undefined &&
    known.source === job.source &&
    expected !== undefined &&
    known.sha256 === expected &&
    known.sizeBytes === partial.sizeBytes
  );
}

function contentProblem(job: DownloadJob, partial: PartialFile, actualSha256: string): PullStop | undefined {
  const expected = job.pinnedSha256 ?? partial.identity?.sha256 ?? undefined;
  if (expected !== undefined && expected !== actualSha256) {
    const whose = job.pinnedSha256 === undefined ? "the hub's" : "the given";
    const message = `${job.source} has SHA-256 ${actualSha256}, but ${whose} is ${expected}. The download was deleted; pull again, and do not use the file if it happens twice.`;
    return new PullStop("checksum", message);
  }
  return checkGgufHead(partial.head, job.source, null, true);
}
