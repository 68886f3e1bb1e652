import { Problem } from "./problem.ts";

const OLLAMA_PORT = 11_434;

/** Endpoints that people copy from a provider's page together with its address. */
const ENDPOINT = /\/(?:chat\/completions|completions|embeddings|responses|messages)$/;

/**
 * Checks the address of a provider and gives it without a trailing slash. Credentials, query and fragment are refused:
 * the first would reach logs, the others would be lost when a path is added. So are link-local addresses, where clouds
 * keep their machines' credentials.
 */
export function parseBaseUrl(text: string): string | Problem {
  const trimmed = text.trim();
  if (!/^https?:\/\//i.test(trimmed))
    return new Problem("expected an address that starts with http:// or https://");
  const url = URL.parse(trimmed);
  if (url === null || url.hostname === "")
    return new Problem('expected an address such as "https://api.example.com/v1"');
  if (url.username !== "" || url.password !== "") {
    return new Problem("an address must not hold a user name or password; use api_key or headers");
  }
  if (/[?#]/.test(trimmed)) return new Problem("an address must not hold a query or fragment (? or #)");
  if (isLinkLocal(url.hostname)) return new Problem("a link-local address is not allowed for a provider");
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}

/** As `parseBaseUrl`, and cuts a known endpoint off its end: ".../v1/completions" gives ".../v1". */
export function parseApiUrl(text: string): string | Problem {
  const parsed = parseBaseUrl(text);
  return parsed instanceof Problem ? parsed : parsed.replace(ENDPOINT, "");
}

/**
 * As `parseBaseUrl`, for what people put into `OLLAMA_HOST`: "localhost:11434", "gpu-box", ":11500". Without a scheme
 * it is http, and the port is 11434 if none is given. The address that a server binds for "everywhere" is reached on
 * this machine.
 */
export function parseOllamaUrl(text: string): string | Problem {
  let address = text.trim();
  if (!address.includes("://")) {
    if (address.startsWith(":")) address = `127.0.0.1${address}`;
    const [authority = "", ...rest] = address.split("/");
    const hasPort = /:\d+$/.test(authority);
    address = `http://${[hasPort ? authority : `${authority}:${OLLAMA_PORT}`, ...rest].join("/")}`;
  }
  const parsed = parseBaseUrl(address);
  if (parsed instanceof Problem) return parsed;
  return parsed.replace(
    /^(https?:\/\/)(?:0\.0\.0\.0|\[::\])(?=[:/]|$)/,
    (_, scheme: string) => `${scheme}127.0.0.1`,
  );
}

/** True where the address can only mean this machine or a private network. */
export function isPrivateAddress(url: string): boolean {
  const hostname = URL.parse(url)?.hostname ?? "";
  return (
    isLoopbackHost(hostname) ||
    /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(hostname) ||
    /^\[f[cd]/.test(hostname) ||
    /\.(?:internal|local|lan|home\.arpa)$/.test(hostname) ||
    !/[.:]/.test(hostname)
  );
}

/** True for the names and addresses of this machine itself. */
export function isLoopbackHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return bare === "localhost" || bare.endsWith(".localhost") || bare === "::1" || /^127\./.test(bare);
}

function isLinkLocal(hostname: string): boolean {
  return (
    /^169\.254\./.test(hostname) ||
    /^\[fe[89ab]/i.test(hostname) ||
    /^\[::ffff:a9fe:/i.test(hostname) ||
    hostname.toLowerCase() === "metadata.google.internal"
  );
}
