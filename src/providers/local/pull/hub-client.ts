import type { HubFile } from "./choose-hub-files.ts";
import { type Network, withRetries } from "./network.ts";
import { type OpenedUrl, openUrl, throwForStatus } from "./open-url.ts";
import { isSafeRepoPath } from "./parse-model-reference.ts";
import { PullStop, TransientFailure } from "./pull-error.ts";

/** What the hub tells of a revision: the commit it stands for, and the model's licence. */
export type RepoInfo = { readonly commit: string | undefined; readonly license: string | undefined };

const maxAnswerBytes = 32 * 1024 * 1024;
const maxPages = 50;

/**
 * `GET /api/models/{owner}/{repo}/revision/{revision}`. One attempt, and everything in it is optional: a
 * mirror without this endpoint still serves models, and a real refusal comes back from the listing.
 */
export async function fetchRepoInfo(network: Network, title: string, revision: string): Promise<RepoInfo> {
  const unknown = { commit: undefined, license: undefined };
  try {
    const url = `${network.hubUrl}/api/models/${title}/revision/${encodeURIComponent(revision)}`;
    const { value } = await getJson({ ...network, maxRetries: 0 }, url, title);
    if (!isRecord(value)) return unknown;
    const card = isRecord(value.cardData) ? value.cardData : {};
    const commit = typeof value.sha === "string" && /^[0-9a-f]{40}$/.test(value.sha) ? value.sha : undefined;
    const license = typeof card.license === "string" && card.license.length <= 100 ? card.license : undefined;
    return { commit, license };
  } catch (error) {
    if (error instanceof PullStop && error.kind !== "cancelled") return unknown;
    throw error;
  }
}

/**
 * `GET /api/models/{owner}/{repo}/tree/{revision}?recursive=true`: every file of a revision. Further pages are
 * named by the `Link: <...>; rel="next"` header and followed on the hub's origin only.
 */
export async function listHubFiles(network: Network, title: string, revision: string): Promise<HubFile[]> {
  const first = `${network.hubUrl}/api/models/${title}/tree/${encodeURIComponent(revision)}?recursive=true`;
  const files: HubFile[] = [];
  let url: string | undefined = first;
  for (let page = 0; url !== undefined && page < maxPages; page++) {
    const { value, next }: { value: unknown; next: string | undefined } = await getJson(network, url, title);
    if (!Array.isArray(value))
      throw new PullStop("bad_answer", `The hub's listing of ${title} is not a list.`);
    for (const entry of value) {
      const file = toHubFile(entry);
      if (file !== undefined) files.push(file);
    }
    if (next !== undefined && new URL(next).origin !== new URL(network.hubUrl).origin) break;
    url = next;
  }
  return files;
}

/** The address of a file's content: `{hub}/{owner}/{repo}/resolve/{revision}/{path}`. */
export function resolveUrl(network: Network, title: string, revision: string, path: string): string {
  const encodedPath = path.split("/").map(encodeURIComponent).join("/");
  return `${network.hubUrl}/${title}/resolve/${encodeURIComponent(revision)}/${encodedPath}`;
}

function toHubFile(entry: unknown): HubFile | undefined {
  if (!isRecord(entry) || typeof entry.path !== "string" || !isSafeRepoPath(entry.path)) return undefined;
  if (entry.type !== undefined && entry.type !== "file") return undefined;
  const lfs = isRecord(entry.lfs) ? entry.lfs : {};
  const oid = typeof lfs.oid === "string" ? lfs.oid.replace(/^sha256:/, "").toLowerCase() : "";
  return {
    path: entry.path,
    sizeBytes: sizeOf(lfs.size) ?? sizeOf(entry.size),
    sha256: /^[0-9a-f]{64}$/.test(oid) ? oid : undefined,
  };
}

function sizeOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function getJson(
  network: Network,
  url: string,
  subject: string,
): Promise<{ value: unknown; next: string | undefined }> {
  return withRetries(network, async () => {
    const opened = await openUrl(network, url, { accept: "application/json" });
    try {
      if (opened.response.status !== 200) throwForStatus(opened.response, subject, network);
      const value = parseJson(await readText(opened, subject), subject);
      const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(opened.response.headers.get("link") ?? "")?.[1];
      const next = link !== undefined && URL.canParse(link, url) ? new URL(link, url).href : undefined;
      return { value, next };
    } finally {
      opened.close();
    }
  });
}

async function readText(opened: OpenedUrl, subject: string): Promise<string> {
  const announcedBytes = Number(opened.response.headers.get("content-length") ?? Number.NaN);
  const decoder = new TextDecoder();
  let text = "";
  let receivedBytes = 0;
  for (let bytes = await opened.read(); bytes !== undefined; bytes = await opened.read()) {
    receivedBytes += bytes.length;
    if (receivedBytes > maxAnswerBytes) {
      throw new PullStop("bad_answer", `The hub's answer about ${subject} is too large.`);
    }
    text += decoder.decode(bytes, { stream: true });
  }
  if (receivedBytes < announcedBytes) {
    throw new TransientFailure("unreachable", `The hub's answer about ${subject} ended early.`);
  }
  return text + decoder.decode();
}

function parseJson(text: string, subject: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const page = /^\s*</.test(text) ? "a web page" : "something that is not JSON";
    throw new PullStop("bad_answer", `Asked about ${subject}, the hub sent ${page}. Check the hub address.`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
