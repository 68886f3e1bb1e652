import type { Secret } from "./secret.ts";

/**
 * The configuration of one running server: complete, checked and immutable.
 *
 * Made by `loadConfig`. Every default is filled in, every path is absolute, every reference to the
 * environment is resolved. Names end in their unit; a limit that is not set is `null`.
 */
export interface Config {
  /** `dev` loosens what `--dev` documents, for direct loopback peers only. */
  readonly mode: ConfigMode;
  /** Absolute. Database, models, command socket and generated files live here unless moved one by one. */
  readonly dataDir: string;
  readonly server: ServerConfig;
  readonly database: DatabaseConfig;
  /** Built-in providers first, then the configured ones, then those that `models` declare. Names are unique. */
  readonly providers: readonly ProviderConfig[];
  readonly ollama: OllamaConfig;
  readonly models: readonly ModelConfig[];
  readonly local: LocalConfig;
  readonly pricing: PricingConfig;
  readonly logging: LoggingConfig;
  readonly hub: HubConfig;
  readonly admin: AdminConfig;
}

export type ConfigMode = "dev" | "production";

export interface ServerConfig {
  /** An IP address or host name to bind. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Further addresses that serve the same application. Never repeats `host`:`port`. */
  readonly listen: readonly ListenAddress[];
  /** Always 1, for now: `loadConfig` refuses more. */
  readonly workers: number;
  /** The largest body of an inference request. */
  readonly maxBodyBytes: number;
  /** Bodies of all requests held in memory at once; over it, 503 with `Retry-After`. */
  readonly maxHeldBodyBytes: number;
  readonly maxJsonDepth: number;
  /** Inference requests in progress at once, over all providers. */
  readonly maxConcurrentRequests: number;
  /** How long SIGTERM waits for requests in progress before it ends them. */
  readonly drainTimeoutMs: number;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  /** False for an address that only a default asked for: if it is busy, warn and go on. */
  readonly required: boolean;
}

/** SQLite only, for now: `loadConfig` refuses a PostgreSQL address. */
export interface DatabaseConfig {
  readonly kind: "sqlite";
  /** Absolute. */
  readonly path: string;
}

export type ProviderType = "openai-compatible" | "anthropic" | "ollama" | "local";

/** `paid`: an unpriced model follows `pricing.unpriced`. `free`: an unpriced model costs nothing. */
export type Billing = "paid" | "free";

export interface ProviderConfig {
  readonly name: string;
  readonly type: ProviderType;
  /** Without a trailing slash, credentials, query or fragment; `null` for the type `local`. */
  readonly baseUrl: string | null;
  /** `null`: not given. A built-in `openai` or `anthropic` without a key answers `provider_not_configured`. */
  readonly apiKey: Secret | null;
  /** Extra headers of every upstream request. Names in lower case. */
  readonly headers: Readonly<Record<string, Secret>>;
  readonly billing: Billing;
  readonly timeouts: ProviderTimeouts;
  /** The only models this provider serves, by its own names; `null`: whatever it offers. */
  readonly models: readonly string[] | null;
  /** `built-in`: nobody configured it; `configured`: under `providers`; `model`: by a model's `api_url`. */
  readonly declaredBy: "built-in" | "configured" | "model";
}

export interface ProviderTimeouts {
  /** Until the connection stands. */
  readonly connectMs: number;
  /** From the request sent until the first byte of the answer's body. */
  readonly firstByteMs: number;
  /** Between two chunks of an answer. */
  readonly idleMs: number;
  /** The whole request. */
  readonly totalMs: number;
}

export interface OllamaConfig {
  /** What Ollama's own routes take `stream` to be when a request does not say. */
  readonly defaultStream: boolean;
}

export interface ModelConfig {
  /** What callers ask for. Unique among all names and aliases. */
  readonly name: string;
  /** The number by which the routes of the model registry name it; `null`: the registry chooses. */
  readonly id: number | null;
  readonly aliases: readonly string[];
  /** In order of preference; never empty. */
  readonly targets: readonly ModelTarget[];
  /** Load (local) or check (remote) it at startup, in the background. */
  readonly preload: boolean;
  /** False: known, listed to administrators, and refused to callers. */
  readonly active: boolean;
}

export interface ModelTarget {
  /** The name of an entry of `Config.providers`. */
  readonly provider: string;
  /** The provider's own name of it. For `local`: a GGUF path or `hf:owner/repo:quant`. */
  readonly model: string;
}

export type GpuMode = false | "auto" | "cuda" | "vulkan" | "metal";

export interface LocalConfig {
  /** Absolute. */
  readonly modelsDir: string;
  /** `auto`: one less than the machine has. */
  readonly threads: number | "auto";
  readonly gpu: GpuMode;
  /** Sequences that one loaded model works on at once. */
  readonly slots: number;
  /** Context of each slot; `null`: what the model was trained with, at most 4096. */
  readonly contextTokens: number | null;
  readonly maxLoadedModels: number;
  /** Model names or references to load at startup, in order, besides the models with `preload: true`. */
  readonly preload: readonly string[];
}

export interface PricingConfig {
  readonly unpriced: UnpricedRule;
}

/** What a model without a price costs on a paid provider. */
export type UnpricedRule =
  | { readonly kind: "refuse" }
  | { readonly kind: "free" }
  | { readonly kind: "flat"; readonly costNanoUsd: bigint };

export type LogLevel = "trace" | "debug" | "info" | "warning" | "error" | "fatal";

export interface LoggingConfig {
  readonly level: LogLevel;
  /** `auto`: text on a terminal, JSON lines elsewhere. */
  readonly format: "auto" | "json" | "text";
  /** Absolute; holds `api.log`, `usage.log`, `error.log`. `null`: standard output only. */
  readonly dir: string | null;
  /** A log file is rotated when it grows beyond this. */
  readonly maxBytes: number;
  /** Rotated files kept of each log. */
  readonly backupCount: number;
  /** Write a line for every request. */
  readonly access: boolean;
}

export interface HubConfig {
  /** Where `hf:` references are downloaded from; without a trailing slash. */
  readonly baseUrl: string;
  readonly token: Secret | null;
}

export interface AdminConfig {
  /** The bootstrap administrator's credential; `null`: administrators need a key of their own. */
  readonly apiKey: Secret | null;
}

/** One thing that is wrong. `loadConfig` returns all of them, and none shows a value. */
export interface ConfigError {
  /** Full path of the key, as in the file: `providers.azure.timeouts.idle`; "" for the file as a whole. */
  readonly key: string;
  /** Where the value came from: "parallama.yaml:12", "env OPENAI_BASE_URL", ".env:3 LOG_LEVEL", "flag --port". */
  readonly source: string;
  /** What is wrong and what was expected, as one sentence without a period. */
  readonly message: string;
}

/** Something that works and should be changed. Same shape as an error, same promise about values. */
export type ConfigWarning = ConfigError;
