import { type GatewayError, GatewayFailure, gatewayError } from "../core/error.ts";
import { isRecord } from "../core/json-object.ts";
import type { ProviderReply, ProviderTimeouts } from "../engine/ports.ts";

/** Embeddings of a large batch are tens of megabytes; nothing sensible is more. */
const MAX_WHOLE_BYTES = 128 * 1024 * 1024;
/** An address that answered within this time is taken to be reachable. */
const REACHABLE_MS = 10_000;

/** Bun's fetch gives up a connection that is silent for this long, unless it is told not to. */
const BUN_TIMEOUT_MS = 300_000;

export interface UpstreamOptions {
  /** For messages: the provider's name. Its address is never shown to callers. */
  readonly provider: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /** Sent with every request: credentials, and what the configuration adds. Bound to `baseUrl`'s origin. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent where the caller's own headers say nothing of the name. */
  readonly defaultHeaders?: Readonly<Record<string, string>>;
  readonly timeouts: ProviderTimeouts;
  /** Connect through this Unix socket instead. */
  readonly unixSocket?: () => Promise<string>;
  /** The largest answer that is read whole. */
  readonly maxWholeBytes?: number;
  readonly nowMs: () => number;
}

/**
 * HTTP towards one provider. Redirects are not followed, so credentials reach the configured origin and no other. Every
 * failure to get an answer becomes a `GatewayFailure` whose text names the provider and no address.
 */
export class HttpUpstream {
  readonly #options: UpstreamOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #headersAlone: Readonly<Record<string, string>>;
  #answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#headers = {
      "content-type": "application/json",
      // The answer is read on its way: compressed, it could not be relayed piece by piece.
      "accept-encoding": "identity",
      "user-agent": "parallama",
      ...lowerCased(options.headers),
    };
    this.#headersAlone = { ...options.defaultHeaders, ...this.#headers };
  }

  async send(
    method: "GET" | "POST",
    path: string,
    body: Uint8Array | undefined,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ProviderReply> {
    const { baseUrl, unixSocket } = this.#options;
    const unix = unixSocket === undefined ? undefined : await unixSocket();
    const isKnown = this.#options.nowMs() - this.#answeredAtMs < REACHABLE_MS;
    if (unix === undefined && !isKnown) await this.#connect(signal);
    let response: Response;
    try {
      const init = { method, headers: this.#headersWith(headers), signal, redirect: "manual", body };
      response = await fetch(
        baseUrl + path,
        this.#isPlain(unix) ? (init as RequestInit) : special(init, unix),
      );
    } catch (thrown) {
      throw new GatewayFailure(this.#failureOf(thrown), thrown);
    }
    this.#answeredAtMs = this.#options.nowMs();
    return replyOf(response, this.#options.maxWholeBytes ?? MAX_WHOLE_BYTES);
  }

  /** Whether Bun's own ways will do. Each of its special options costs every request a tenth of a relay. */
  #isPlain(unix: string | undefined): boolean {
    const { firstByteMs, idleMs } = this.#options.timeouts;
    return unix === undefined && Math.max(firstByteMs, idleMs) <= BUN_TIMEOUT_MS;
  }

  /** What the caller may set, or its default; then what only the configuration may. */
  #headersWith(callers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    for (const _ in callers) return { ...this.#options.defaultHeaders, ...callers, ...this.#headers };
    return this.#headersAlone;
  }

  /** Asks for JSON outside an inference; anything but an object under status 200 is a failure. */
  async getJson(path: string, timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
    const { provider } = this.#options;
    const reply = await this.send("GET", path, undefined, {}, AbortSignal.timeout(timeoutMs));
    const bytes = await reply.bytes();
    const body = safeJson(bytes);
    if (reply.status === 200 && isRecord(body)) return body;
    const text = `The provider '${provider}' answered ${reply.status} when asked for ${path}.`;
    throw new GatewayFailure(gatewayError("provider_broken", text));
  }

  /**
   * Bun's fetch does not tell connecting from waiting. So an address that has not answered for a while is first
   * connected to and left, under the time-out for connecting: one that swallows packets is noticed in seconds.
   */
  async #connect(signal: AbortSignal): Promise<void> {
    const { provider, baseUrl, timeouts } = this.#options;
    const url = new URL(baseUrl);
    const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
    const outcome = await probe(url.hostname.replace(/^\[|\]$/g, ""), port, timeouts.connectMs, signal);
    if (outcome === "connected" || signal.aborted) return;
    const text =
      outcome === "timeout"
        ? `The provider '${provider}' could not be reached in time.`
        : `The provider '${provider}' cannot be reached.`;
    throw new GatewayFailure(gatewayError("provider_unreachable", text, { retryAfterMs: 1_000 }));
  }

  #failureOf(thrown: unknown): GatewayError {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    const { provider } = this.#options;
    if (UNREACHABLE.test(code)) {
      return gatewayError("provider_unreachable", `The provider '${provider}' cannot be reached.`, {
        retryAfterMs: 1_000,
      });
    }
    return gatewayError(
      "provider_broken",
      `The provider '${provider}' broke the connection off before it answered.`,
    );
  }
}

/** Time-outs are the engine's: Bun must not cut off a model that may be slower than its own limit. */
function special(init: object, unix: string | undefined): RequestInit {
  return { ...init, timeout: false, ...(unix === undefined ? {} : { unix }) } as RequestInit;
}

const UNREACHABLE =
  /ConnectionRefused|FailedToOpenSocket|ECONNREFUSED|ENOTFOUND|ENOENT|EHOSTUNREACH|ENETUNREACH|DNS|CERT|TLS|SSL/i;

function probe(
  hostname: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<"connected" | "refused" | "timeout"> {
  const { promise, resolve } = Promise.withResolvers<"connected" | "refused" | "timeout">();
  const timer = setTimeout(() => resolve("timeout"), timeoutMs);
  const leave = () => resolve("timeout");
  signal.addEventListener("abort", leave, { once: true });
  Bun.connect({
    hostname,
    port,
    socket: {
      open(socket) {
        resolve("connected");
        socket.end();
      },
      data() {},
      error() {},
    },
  }).catch(() => resolve("refused"));
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  });
}

/** Two spellings of one name would be sent as two values of one header. */
function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function replyOf(response: Response, maxBytes: number): ProviderReply {
  return {
    status: response.status,
    headers: response.headers,
    // Only where it is asked for: a body that has once been made a stream is much dearer to read whole.
    get body() {
      return response.body;
    },
    bytes: () => wholeBody(response, maxBytes),
  };
}

async function wholeBody(response: Response, maxBytes: number): Promise<Uint8Array> {
  const { headers } = response;
  const length = Number(headers.get("content-length") ?? Number.NaN);
  if (length > maxBytes) {
    await response.body?.cancel();
    throw tooLarge();
  }
  // Of a body that was compressed although it should not be, the length says nothing.
  if (length <= maxBytes && !headers.has("content-encoding"))
    return new Uint8Array(await response.arrayBuffer());
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > maxBytes) throw tooLarge();
    parts.push(part);
  }
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : new Uint8Array(Buffer.concat(parts));
}

function tooLarge(): Error {
  return new GatewayFailure(gatewayError("provider_broken", "The provider's answer is too large."));
}

function safeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Headers by which a provider says when to come back: `retry-after-ms`, or `retry-after` in seconds or as a date. */
function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const ms = headers.get("retry-after-ms") ?? "";
  if (DECIMAL.test(ms)) return Math.ceil(Number(ms));
  const text = headers.get("retry-after") ?? "";
  if (DECIMAL.test(text)) return Math.ceil(Number(text) * 1_000);
  // An HTTP date begins with the day's name; much else is a date to `Date.parse`.
  const date = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

const DECIMAL = /^\d{1,9}(?:\.\d+)?$/;

/**
 * A provider's error answer as an error for the caller. Where it speaks of the request, its own message is kept; where
 * it speaks of our credentials, our account or itself, the message says no more than the caller may know.
 */
export function providerError(
  provider: string,
  status: number,
  body: Uint8Array,
  headers: Headers,
  nowMs: number,
): GatewayError {
  const retry = retryAfterMs(headers, nowMs);
  const details = { providerStatus: status, ...(retry === undefined ? {} : { retryAfterMs: retry }) };
  if (status === 429 && !isAboutAccount(safeJson(body))) {
    return gatewayError(
      "provider_rejected",
      `The provider '${provider}' is limiting requests at the moment.`,
      details,
    );
  }
  if (status === 401 || status === 403 || status === 407) {
    return gatewayError(
      "provider_rejected",
      `The provider '${provider}' refused the gateway's credentials.`,
      details,
    );
  }
  if (status === 402 || isAboutAccount(safeJson(body))) {
    return gatewayError("provider_rejected", `The provider '${provider}' refused the gateway's account.`, {
      providerStatus: 402,
      code: "provider_account",
    });
  }
  if (status < 300) {
    return gatewayError(
      "provider_broken",
      `The provider '${provider}' answered ${status}, which is no answer to this.`,
    );
  }
  if (status >= 300 && status < 400) {
    return gatewayError("provider_broken", `The provider '${provider}' redirected, which is not followed.`);
  }
  if (status >= 500) {
    return gatewayError("provider_rejected", `The provider '${provider}' failed (${status}).`, details);
  }
  const message = messageOf(safeJson(body)) ?? `The provider '${provider}' refused the request (${status}).`;
  return gatewayError("provider_rejected", message, details);
}

/** Codes by which providers say, under several statuses, that our account there has no money or no right left. */
const ACCOUNT_CODES: ReadonlySet<unknown> = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_not_active",
  "billing_error",
  "account_deactivated",
  "enforced_spend_limit_reached",
]);
/** Anthropic says it with the type of any bad request, in words only. */
const ACCOUNT_WORDS = /credit balance is too low/i;

function isAboutAccount(body: unknown): boolean {
  if (!isRecord(body) || !isRecord(body["error"])) return false;
  const { type, code, message, details } = body["error"];
  const detail = isRecord(details) ? details["error_code"] : undefined;
  if (ACCOUNT_CODES.has(type) || ACCOUNT_CODES.has(code) || ACCOUNT_CODES.has(detail)) return true;
  return typeof message === "string" && ACCOUNT_WORDS.test(message);
}

function messageOf(body: unknown): string | undefined {
  if (!isRecord(body)) return undefined;
  const { error, message } = body;
  if (typeof error === "string") return error;
  if (isRecord(error) && typeof error["message"] === "string") return error["message"];
  return typeof message === "string" ? message : undefined;
}
