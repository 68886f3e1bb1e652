import { displayUrl, IdleWatch, type Network, retryAfterMs } from "./network.ts";
import { isLoopbackHost } from "./parse-model-reference.ts";
import { PullStop, TransientFailure } from "./pull-error.ts";

/** An answer that is not a redirect, with what the hub said about the file on the way to it. */
export type OpenedUrl = {
  readonly response: Response;
  /** `X-Linked-Etag` and `X-Linked-Size`, believed only from the hub's own origin. */
  readonly linkedSha256: string | undefined;
  readonly linkedSizeBytes: number | undefined;
  /** The next bytes, `undefined` at the end. A broken or idle connection is a `TransientFailure`. */
  readonly read: () => Promise<Uint8Array | undefined>;
  /** Releases the connection. Must be called once. */
  readonly close: () => void;
};

const maxRedirects = 5;

/**
 * Sends a GET and follows redirects by hand: at most five, never from https to http (this machine excepted).
 * The hub's token goes along only while the address is on the hub's origin. Any status but a redirect is
 * returned; the caller judges it. Throws `TransientFailure` when the server cannot be reached.
 */
export async function openUrl(
  network: Network,
  startUrl: string,
  headers: Record<string, string>,
): Promise<OpenedUrl> {
  const watch = new IdleWatch(network, hostOf(startUrl));
  let linkedSha256: string | undefined;
  let linkedSizeBytes: number | undefined;
  let url = startUrl;
  try {
    for (let redirects = 0; ; redirects++) {
      const response = await get(network, watch, url, headers);
      if (isHubOrigin(network, url)) {
        linkedSha256 = sha256FromEtag(response.headers.get("x-linked-etag")) ?? linkedSha256;
        linkedSizeBytes = byteCount(response.headers.get("x-linked-size")) ?? linkedSizeBytes;
      }
      const location = isRedirect(response.status) ? response.headers.get("location") : null;
      if (location === null) {
        return { response, linkedSha256, linkedSizeBytes, ...bodyReader(watch, response, url) };
      }
      await response.body?.cancel().catch(() => undefined);
      if (redirects === maxRedirects) {
        throw new PullStop(
          "redirect_refused",
          `${displayUrl(startUrl)} redirects more than ${maxRedirects} times.`,
        );
      }
      url = redirectTarget(network, url, location);
    }
  } catch (error) {
    watch.close();
    throw error;
  }
}

/**
 * Throws what a status other than success means: `PullStop`, or `TransientFailure` for 408, 425, 429 and 5xx.
 * `subject` is what was asked for, in words. The body is never quoted.
 */
export function throwForStatus(response: Response, subject: string, network: Network): never {
  const { status, headers } = response;
  const hubCode = headers.get("x-error-code") ?? "";
  if (hubCode === "RevisionNotFound") throw new PullStop("not_found", `${subject}: no such revision.`);
  if (status === 429) {
    throw new TransientFailure(
      "rate_limited",
      `The server limits requests for ${subject}.`,
      retryAfterMs(headers, network.now()),
    );
  }
  if (status === 408 || status === 425 || status >= 500) {
    throw new TransientFailure(
      "unreachable",
      `The server answered ${status} for ${subject}.`,
      retryAfterMs(headers, network.now()),
    );
  }
  if (hubCode === "RepoNotFound") {
    const hint =
      network.token === undefined ? "; a private one needs a hub token" : ", or this token may not see it";
    throw new PullStop("not_found", `${subject} does not exist${hint}.`);
  }
  if (status === 401 || status === 403) throw new PullStop("gated", gatedMessage(subject, network));
  if (status === 404 || status === 410) {
    throw new PullStop("not_found", `${subject} does not exist. Check the spelling and the revision.`);
  }
  throw new PullStop("bad_answer", `The server answered ${status} for ${subject}.`);
}

/** A lower-case SHA-256 in hex, if that is what the ETag is; other files carry a git hash. */
function sha256FromEtag(etag: string | null): string | undefined {
  const value = etag?.replace(/^W\//, "").replaceAll('"', "").toLowerCase();
  return value !== undefined && /^[0-9a-f]{64}$/.test(value) ? value : undefined;
}

/** A non-negative integer header value, else `undefined`. */
export function byteCount(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text.trim()) ? Number(text) : undefined;
}

async function get(
  network: Network,
  watch: IdleWatch,
  url: string,
  headers: Record<string, string>,
): Promise<Response> {
  const authorization =
    network.token !== undefined && isHubOrigin(network, url)
      ? { authorization: `Bearer ${network.token}` }
      : {};
  const request = network.fetch(url, {
    headers: { "user-agent": "parallama", "accept-encoding": "identity", ...headers, ...authorization },
    redirect: "manual",
    signal: watch.signal,
    decompress: false,
  });
  return watch.during(request).catch((error: unknown) => {
    throw connectionFailure(error, url);
  });
}

function bodyReader(watch: IdleWatch, response: Response, url: string): Pick<OpenedUrl, "read" | "close"> {
  const reader = response.body?.getReader();
  return {
    read: async () => {
      if (reader === undefined) return undefined;
      const result = await watch.during(reader.read()).catch((error: unknown) => {
        throw connectionFailure(error, url);
      });
      return result.done ? undefined : result.value;
    },
    close: () => {
      reader?.cancel().catch(() => undefined);
      watch.close();
    },
  };
}

/** The cause's own message may quote the address with its signature, so only its code is passed on. */
function connectionFailure(error: unknown, url: string): Error {
  if (error instanceof PullStop || error instanceof TransientFailure) return error;
  const code =
    error instanceof Error && "code" in error && typeof error.code === "string" ? ` (${error.code})` : "";
  return new TransientFailure("unreachable", `The connection to ${hostOf(url)} failed${code}.`);
}

function redirectTarget(network: Network, from: string, location: string): string {
  if (!URL.canParse(location, from)) {
    throw new PullStop(
      "redirect_refused",
      `${displayUrl(from)} redirects to something that is not an address.`,
    );
  }
  const target = new URL(location, from);
  const refuse = (why: string) =>
    new PullStop("redirect_refused", `${displayUrl(from)} redirects to ${displayUrl(target.href)}, ${why}.`);
  if (target.protocol === "http:" && !isLoopbackHost(target.hostname)) {
    if (new URL(from).protocol === "https:") throw refuse("from https down to http");
    if (!network.allowInsecure) throw refuse("which is not https");
  } else if (target.protocol !== "http:" && target.protocol !== "https:") {
    throw refuse("which is neither http nor https");
  }
  target.username = "";
  target.password = "";
  return target.href;
}

function gatedMessage(subject: string, network: Network): string {
  return network.token === undefined
    ? `${subject} needs permission. Accept its terms on its page, then pull with a hub access token.`
    : `${subject} refuses this token. Accept its terms on its page with the account of the token, and check the token's rights.`;
}

function isHubOrigin(network: Network, url: string): boolean {
  return new URL(url).origin === new URL(network.hubUrl).origin;
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : "the server";
}
