import { fileURLToPath } from "node:url";
import { DEFAULT_HUB_URL, HUB_ALIAS_HOSTS } from "./hub-address.ts";

/**
 * What a reference names.
 *
 * - `hub`: a repository of the model hub. `file` is a path inside it; `quant` is as typed (match it without
 *   regard to case); `folder` limits the choice to a directory; no `revision` means the default branch.
 * - `url`: an http(s) address whose path ends in `.gguf`, without credentials or fragment.
 * - `file`: a path on this machine, as typed (`~/` is not expanded here).
 */
export type ParsedReference =
  | HubReference
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "file"; readonly path: string };

export type HubReference = {
  readonly kind: "hub";
  readonly owner: string;
  readonly repo: string;
  readonly revision?: string;
  readonly file?: string;
  readonly folder?: string;
  readonly quant?: string;
};

export type ReferenceOptions = {
  /** The hub in use; its addresses are read as hub references. Default: the public hub. */
  readonly hubUrl?: string;
  /** Allows http to hosts other than this machine. */
  readonly allowInsecure?: boolean;
};

type Outcome = ParsedReference | { readonly error: string };

const maxReferenceLength = 2048;
const accepted =
  "Write hf:owner/repo, hf:owner/repo:Q4_K_M, hf:owner/repo/path/file.gguf, an https address of a .gguf file, or the path of a local file.";

/**
 * Reads what a person typed after `model pull`. Pure: nothing is looked up. Hub references take an optional
 * `@revision` (branch, tag or commit) after the repository, the quantisation or the file.
 */
export function parseModelReference(text: string, options: ReferenceOptions = {}): Outcome {
  const reference = text.trim();
  if (reference === "") return { error: `The model reference is empty. ${accepted}` };
  if (reference.length > maxReferenceLength) return { error: "The model reference is too long." };
  if (hasControlCharacter(reference)) return { error: "The model reference contains a control character." };

  if (/^file:/i.test(reference)) return parseFileUrl(reference);
  if (/^https?:/i.test(reference)) return parseHttpUrl(reference, options);
  if (/^hf:/i.test(reference)) return parseHubText(reference.slice(3).replace(/^\/\//, ""));
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(reference)) {
    return { error: `Only http, https, file and hf references can be pulled. ${accepted}` };
  }
  if (isHubHostWithoutScheme(reference)) return parseHttpUrl(`https://${reference}`, options);
  if (looksLikeLocalPath(reference)) return { kind: "file", path: reference };
  if (reference.includes("/")) return parseHubText(reference);
  return { error: `"${reference}" is not a model reference. ${accepted}` };
}

/** True when `hostname` (as `URL` gives it) is this machine by definition: loopback addresses and localhost. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    host === "[::1]" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
  );
}

/** True for a relative path of plain names: no empty, `.` or `..` part, no backslash or control character. */
export function isSafeRepoPath(path: string): boolean {
  if (path.length > 1024 || path.includes("\\") || hasControlCharacter(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function parseHubText(text: string): Outcome {
  const at = text.split("@");
  if (at.length > 2) return { error: "The model reference has more than one @revision." };
  let [subject = "", revision] = at;
  if (revision !== undefined && !subject.includes(":") && subject.split("/").length <= 2) {
    // owner/repo@revision:quant
    const colon = revision.indexOf(":");
    if (colon >= 0) {
      subject += revision.slice(colon);
      revision = revision.slice(0, colon);
    }
  }
  const colon = subject.indexOf(":");
  const quant = colon < 0 ? undefined : subject.slice(colon + 1);
  const path = colon < 0 ? subject : subject.slice(0, colon);
  const [owner = "", repo = "", ...rest] = path.split("/");
  if (rest.length > 0 && quant !== undefined) {
    return { error: "Name either a file or a quantisation, not both." };
  }
  const file = rest.length > 0 ? rest.join("/") : undefined;
  return hubReference({ owner, repo, revision, file, folder: undefined, quant });
}

function parseHttpUrl(text: string, options: ReferenceOptions): Outcome {
  if (hasTraversal(text)) return { error: 'The address contains "..", which is refused.' };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") return { error: "The address is not a valid URL." };
  if (url.username !== "" || url.password !== "") {
    return {
      error: "The address contains a user name or password, which would end up in records. Remove it.",
    };
  }
  if (isHubAddress(url, options.hubUrl)) return parseHubUrl(url);
  if (url.protocol === "http:" && !isLoopbackHost(url.hostname) && options.allowInsecure !== true) {
    return { error: "The address is http, not https: anyone on the way could replace the model. Use https." };
  }
  if (!url.pathname.toLowerCase().endsWith(".gguf")) {
    return { error: "The address must lead to a file whose name ends in .gguf." };
  }
  url.hash = "";
  return { kind: "url", url: url.href };
}

/** Page, `tree`, `blob`, `raw` and `resolve` addresses of a model repository. */
function parseHubUrl(url: URL): Outcome {
  const parts = decodedParts(url.pathname);
  if (parts === undefined) return { error: "The address is not validly percent-encoded." };
  const [owner = "", repo = "", action, ...rest] = parts;
  if (["datasets", "spaces", "api", "models", "collections"].includes(owner)) {
    return { error: `The address names ${owner}, not a model repository. ${accepted}` };
  }
  if (action === undefined) return parseHubText(`${owner}/${repo}`);
  if (!["tree", "blob", "raw", "resolve"].includes(action)) {
    // hf.co/owner/repo/path/file.gguf, with or without @revision
    return parseHubText([owner, repo, action, ...rest].join("/"));
  }
  // refs/pr/7 and refs/convert/parquet are revisions of three parts.
  const revisionLength = rest[0] === "refs" ? 3 : 1;
  const revision = rest.slice(0, revisionLength).join("/");
  const inside = rest.slice(revisionLength);
  if (action === "tree") {
    const folder = inside.length > 0 ? inside.join("/") : undefined;
    return hubReference({ owner, repo, revision, file: undefined, folder, quant: undefined });
  }
  return hubReference({ owner, repo, revision, file: inside.join("/"), folder: undefined, quant: undefined });
}

function hubReference(fields: {
  owner: string;
  repo: string;
  revision: string | undefined;
  file: string | undefined;
  folder: string | undefined;
  quant: string | undefined;
}): Outcome {
  const { owner, repo, revision, file, folder } = fields;
  // Ollama's spelling of "no particular one".
  const quant = fields.quant?.toLowerCase() === "latest" ? undefined : fields.quant;
  if (!isHubName(owner) || !isHubName(repo)) {
    return { error: `"${owner}/${repo}" is not an owner/repo of the hub. ${accepted}` };
  }
  if (revision !== undefined && !isRevision(revision)) {
    return { error: "The revision must be a branch, tag or commit: letters, digits and . _ - / only." };
  }
  if (quant !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/.test(quant)) {
    return { error: "The part after the colon must be a quantisation such as Q4_K_M." };
  }
  if (file !== undefined && (!isSafeRepoPath(file) || !file.toLowerCase().endsWith(".gguf"))) {
    return { error: "The file must be a path inside the repository that ends in .gguf." };
  }
  if (folder !== undefined && !isSafeRepoPath(folder)) {
    return { error: "The folder must be a path inside the repository." };
  }
  return {
    kind: "hub",
    owner,
    repo,
    ...(revision === undefined ? {} : { revision }),
    ...(file === undefined ? {} : { file }),
    ...(folder === undefined ? {} : { folder }),
    ...(quant === undefined ? {} : { quant }),
  };
}

function parseFileUrl(text: string): Outcome {
  if (hasTraversal(text)) return { error: 'The address contains "..", which is refused.' };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.hostname !== "" && url.hostname !== "localhost")) {
    return { error: "A file: address must name a file of this machine, as in file:///models/name.gguf." };
  }
  try {
    const path = fileURLToPath(`file://${url.pathname}`);
    if (hasControlCharacter(path)) return { error: "The file's path contains a control character." };
    return { kind: "file", path };
  } catch {
    return { error: "The file: address is not a valid path." };
  }
}

/** Path parts, each decoded once, without a trailing empty one. `undefined` when the encoding is broken. */
function decodedParts(pathname: string): string[] | undefined {
  try {
    return pathname
      .replace(/^\/+|\/+$/g, "")
      .split("/")
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

function isHubAddress(url: URL, hubUrl: string | undefined): boolean {
  if (url.protocol === "https:" && url.port === "") {
    if (url.hostname === new URL(DEFAULT_HUB_URL).hostname) return true;
    if (HUB_ALIAS_HOSTS.includes(url.hostname)) return true;
  }
  return hubUrl !== undefined && URL.canParse(hubUrl) && new URL(hubUrl).origin === url.origin;
}

function isHubHostWithoutScheme(text: string): boolean {
  const host = (text.split("/")[0] ?? "").toLowerCase();
  return text.includes("/") && (host === new URL(DEFAULT_HUB_URL).hostname || HUB_ALIAS_HOSTS.includes(host));
}

function looksLikeLocalPath(text: string): boolean {
  return (
    /^(?:[/\\]|\.{1,2}[/\\]|~[/\\]|[A-Za-z]:[/\\])/.test(text) ||
    (text.toLowerCase().endsWith(".gguf") && !text.includes(":"))
  );
}

/** The hub's own rule for names: at most 96 of `[A-Za-z0-9._-]`, no `--` or `..`, no `-` or `.` at the ends. */
function isHubName(name: string): boolean {
  return (
    /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/.test(name) &&
    !name.includes("--") &&
    !name.includes("..") &&
    !name.toLowerCase().endsWith(".git")
  );
}

function isRevision(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._/-]{0,254}$/.test(text) && isSafeRepoPath(text) && !text.includes("..");
}

/** `URL` silently resolves "..", plain or percent-encoded, so it is looked for before parsing. */
function hasTraversal(text: string): boolean {
  const path = text.split(/[?#]/)[0] ?? "";
  return path.split(/[/\\]|%2f|%5c/i).some((part) => /^(?:\.|%2e){1,2}$/i.test(part));
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}
