import { isLoopbackHost, isPrivateAddress, parseBaseUrl, parseOllamaUrl } from "./base-url.ts";
import type { Billing, ListenAddress, ProviderConfig, ProviderTimeouts, ProviderType } from "./config.ts";
import type { KeyPath } from "./key-path.ts";
import { Problem } from "./problem.ts";
import { type Resolution, resolveSecret } from "./resolution.ts";
import type { Secret } from "./secret.ts";
import { type ProviderSettings, type Settings, settingsSchema } from "./settings-schema.ts";

/** Providers that are there without any configuration, in this order. */
export const BUILT_IN_PROVIDERS: ReadonlyMap<string, ProviderType> = new Map([
  ["ollama", "ollama"],
  ["openai", "openai-compatible"],
  ["anthropic", "anthropic"],
  ["local", "local"],
]);

const OPENAI_BASE_URL = "https://api.openai.com/v1";
const ANTHROPIC_BASE_URL = "https://api.anthropic.com";
const OLLAMA_BASE_URL = "http://localhost:11434";

/** Headers that the connection itself decides. */
const RESERVED_HEADERS = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "upgrade",
  "te",
  "trailer",
];
const SECRET_HEADER = /auth|key|token|secret|cookie|password/;

/** Every provider of `providers`, after the built-in ones. */
export function resolveProviders(resolution: Resolution, settings: Settings): ProviderConfig[] {
  const names = new Set([...BUILT_IN_PROVIDERS.keys(), ...Object.keys(settings.providers)]);
  const providers: ProviderConfig[] = [];
  for (const name of names) {
    const own = settings.providers[name] ?? defaultProviderSettings();
    const provider = resolveProvider(resolution, name, own, settings);
    if (provider !== undefined) providers.push(provider);
  }
  return providers;
}

function resolveProvider(
  resolution: Resolution,
  name: string,
  own: ProviderSettings,
  settings: Settings,
): ProviderConfig | undefined {
  const { findings } = resolution;
  const path = ["providers", name];
  const builtInType = BUILT_IN_PROVIDERS.get(name);
  const type = own.type ?? builtInType;
  if (type === undefined) {
    findings.error(
      [...path, "type"],
      "required: what the provider speaks (openai-compatible, anthropic or ollama)",
    );
    return undefined;
  }
  if ((type === "local") !== (name === "local")) {
    findings.error([...path, "type"], "the type `local` and the provider's name `local` belong together");
  }
  if (type === "local") refuseRemoteKeys(resolution, path, own);
  const baseUrl = type === "local" ? null : resolveBaseUrl(resolution, name, type, own, settings);
  const apiKey = checkedKey(
    resolution,
    [...path, "api_key"],
    resolveSecret(resolution, [...path, "api_key"], own.api_key),
  );
  warnOfPlainHttp(resolution, path, baseUrl, apiKey);
  return {
    name,
    type,
    baseUrl,
    apiKey,
    headers: resolveHeaders(resolution, [...path, "headers"], own.headers),
    billing: own.billing ?? defaultBilling(type),
    timeouts: providerTimeouts(own),
    models: own.models ?? null,
    declaredBy: resolution.configuredProviders.has(name) ? "configured" : "built-in",
  };
}

/** The settings of a provider that nobody wrote down. */
export function defaultProviderSettings(): ProviderSettings {
  const value = settingsSchema.shape.providers.unwrap();
  return value.valueType.parse({});
}

export function defaultBilling(type: ProviderType): Billing {
  return type === "openai-compatible" || type === "anthropic" ? "paid" : "free";
}

export function providerTimeouts(settings: ProviderSettings): ProviderTimeouts {
  const { connect, first_byte, idle, total } = settings.timeouts;
  return { connectMs: connect, firstByteMs: first_byte, idleMs: idle, totalMs: total };
}

function refuseRemoteKeys(resolution: Resolution, path: KeyPath, own: ProviderSettings): void {
  const message = "the provider `local` runs models itself and has no address";
  if (own.base_url !== undefined) resolution.findings.error([...path, "base_url"], message);
  if (own.api_key !== undefined) resolution.findings.error([...path, "api_key"], message);
  if (Object.keys(own.headers).length > 0) resolution.findings.error([...path, "headers"], message);
}

function resolveBaseUrl(
  resolution: Resolution,
  name: string,
  type: ProviderType,
  own: ProviderSettings,
  settings: Settings,
): string {
  if (own.base_url !== undefined) {
    const path = ["providers", name, "base_url"];
    const parsed = type === "ollama" ? parseOllamaUrl(own.base_url) : parseBaseUrl(own.base_url);
    if (!(parsed instanceof Problem)) return notOurselves(resolution, path, parsed, settings);
    resolution.findings.error(path, parsed.message);
    return "";
  }
  if (name === "openai" && type === "openai-compatible") return OPENAI_BASE_URL;
  if (type === "anthropic") return ANTHROPIC_BASE_URL;
  if (name === "ollama" && type === "ollama") return ollamaBaseUrl(resolution, settings);
  resolution.findings.error(["providers", name, "base_url"], "required: the provider's address");
  return "";
}

function ollamaBaseUrl(resolution: Resolution, settings: Settings): string {
  const { base_url, host, port } = settings.ollama;
  if (base_url !== undefined && (host !== undefined || port !== undefined)) {
    resolution.findings.error(["ollama", "base_url"], "give either `base_url`, or `host` and `port`");
  }
  if (base_url !== undefined) return notOurselves(resolution, ["ollama", "base_url"], base_url, settings);
  if (host === undefined && port === undefined) return OLLAMA_BASE_URL;
  const bare = host ?? "localhost";
  const parsed = parseOllamaUrl(`${bare.includes(":") ? `[${bare}]` : bare}:${port ?? 11_434}`);
  if (!(parsed instanceof Problem)) return notOurselves(resolution, ["ollama"], parsed, settings);
  resolution.findings.error(["ollama", "host"], parsed.message);
  return "";
}

/** A gateway that asks itself would do so until something bursts. */
function notOurselves(resolution: Resolution, path: KeyPath, url: string, settings: Settings): string {
  const { hostname, port, protocol } = new URL(url);
  const ports = [
    settings.server.port,
    ...(settings.server.listen ?? []).map((address: Omit<ListenAddress, "required">) => address.port),
  ];
  const target = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  if (protocol === "http:" && isLoopbackHost(hostname) && ports.includes(target)) {
    resolution.findings.error(path, `this is the address of this server itself (port ${target})`);
  }
  return url;
}

function warnOfPlainHttp(
  resolution: Resolution,
  path: KeyPath,
  baseUrl: string | null,
  apiKey: Secret | null,
): void {
  if (baseUrl === null || apiKey === null || !baseUrl.startsWith("http:") || isPrivateAddress(baseUrl))
    return;
  resolution.findings.warn([...path, "base_url"], "the key is sent over the network unencrypted; use https");
}

/** A key goes into a header: refuse here what `fetch` would refuse later, with the key in its message. */
export function checkedKey(resolution: Resolution, path: KeyPath, key: Secret | null): Secret | null {
  if (key === null || /^[\x21-\x7e]+$/.test(key.reveal())) return key;
  resolution.findings.error(path, "the key holds a space, a line break or a character outside ASCII");
  return null;
}

function resolveHeaders(
  resolution: Resolution,
  path: KeyPath,
  headers: Readonly<Record<string, string>>,
): Record<string, Secret> {
  const resolved: Record<string, Secret> = {};
  for (const [name, text] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (RESERVED_HEADERS.includes(lower)) {
      resolution.findings.error([...path, name], "this header is set by the connection itself");
    } else if (Object.hasOwn(resolved, lower)) {
      resolution.findings.error([...path, name], "this header stands here a second time, in other letters");
    }
    const value = resolveSecret(resolution, [...path, name], text, !SECRET_HEADER.test(lower));
    if (value === null) continue;
    if (/^[\t\x20-\x7e]*$/.test(value.reveal())) resolved[lower] = value;
    else resolution.findings.error([...path, name], "a header's value must be ASCII without line breaks");
  }
  return resolved;
}
