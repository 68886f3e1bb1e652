import type { AdminConfig, Config, ListenAddress, LoggingConfig, ServerConfig } from "./config.ts";
import { type Resolution, resolvePath, resolveSecret } from "./resolution.ts";
import { resolveDatabase } from "./resolve-database.ts";
import { resolveModels } from "./resolve-models.ts";
import { checkedKey, resolveProviders } from "./resolve-providers.ts";
import type { Settings } from "./settings-schema.ts";

const SYSTEM_LOG_DIR = "/var/log/parallama";
const DEV_LISTEN: ListenAddress = { host: "127.0.0.1", port: 8001, required: false };
const MIN_ADMIN_KEY_LENGTH = 24;

/** Keys that stand in public documents and tutorials; compared without case, hyphens and underscores. */
const WELL_KNOWN_ADMIN_KEYS = [
  "adminapikey",
  "yoursecureadminkey",
  "omnimemoryadminkey",
  "youradminkeyhere",
  "changeme",
  "changemeinproduction",
  "supersecretadminkey",
  "replacethiswithasecureadminkey",
  "yoursupersecretadminkeyhere",
];

/** Turns checked settings into the `Config`. What is wrong goes to `resolution.findings`. */
export function resolveConfig(resolution: Resolution, settings: Settings): Config {
  const dataDir = resolvePath(resolution, settings.data_dir);
  const providers = resolveProviders(resolution, settings);
  const resolved = resolveModels(resolution, settings.models, providers);
  const { local, ollama, hub, pricing } = settings;
  const hubToken = resolveSecret(resolution, ["hub", "token"], hub.token);
  return {
    mode: resolution.mode,
    dataDir,
    server: resolveServer(resolution, settings.server),
    database: resolveDatabase(resolution, settings.database, dataDir),
    providers: [...providers, ...resolved.providers],
    ollama: { defaultStream: ollama.default_stream },
    models: resolved.models,
    local: {
      modelsDir: resolvePath(resolution, local.models_dir ?? `${dataDir}/models`),
      threads: local.threads,
      gpu: local.gpu,
      slots: local.slots,
      contextTokens: local.context_tokens ?? null,
      maxLoadedModels: local.max_loaded_models,
      preload: local.preload,
    },
    pricing: { unpriced: pricing.unpriced },
    logging: resolveLogging(resolution, settings.logging),
    hub: { baseUrl: hub.url, token: checkedKey(resolution, ["hub", "token"], hubToken) },
    admin: resolveAdmin(resolution, settings.admin),
  };
}

function resolveServer(resolution: Resolution, settings: Settings["server"]): ServerConfig {
  const isDev = resolution.mode === "dev";
  const host = settings.host ?? (isDev ? "127.0.0.1" : "0.0.0.0");
  const fallback = isDev ? [DEV_LISTEN] : [];
  const wanted = settings.listen?.map((address) => ({ ...address, required: true })) ?? fallback;
  const isMain = (address: ListenAddress): boolean =>
    address.port === settings.port && address.port !== 0 && (address.host === host || !address.required);
  if (settings.max_held_body_bytes < settings.max_body_bytes) {
    resolution.findings.error(
      ["server", "max_held_body_bytes"],
      "must not be less than `max_body_bytes`: a body of that size could never be accepted",
    );
  }
  if (settings.workers > 1) {
    resolution.findings.error(
      ["server", "workers"],
      "more than 1 needs PostgreSQL and Redis, which come in a later version",
    );
  }
  return {
    host,
    port: settings.port,
    listen: wanted.filter((address) => !isMain(address)),
    workers: settings.workers,
    maxBodyBytes: settings.max_body_bytes,
    maxHeldBodyBytes: settings.max_held_body_bytes,
    maxJsonDepth: settings.max_json_depth,
    maxConcurrentRequests: settings.max_concurrent_requests,
    drainTimeoutMs: settings.drain_timeout,
  };
}

function resolveLogging(resolution: Resolution, settings: Settings["logging"]): LoggingConfig {
  const systemDir = resolution.isWritableDirectory(SYSTEM_LOG_DIR) ? SYSTEM_LOG_DIR : null;
  return {
    level: settings.level,
    format: settings.format,
    dir: settings.dir === undefined ? systemDir : resolvePath(resolution, settings.dir),
    maxBytes: settings.max_size,
    backupCount: settings.backup_count,
    access: settings.access,
  };
}

function resolveAdmin(resolution: Resolution, settings: Settings["admin"]): AdminConfig {
  const path = ["admin", "api_key"];
  const apiKey = checkedKey(resolution, path, resolveSecret(resolution, path, settings.api_key));
  if (apiKey === null || resolution.mode === "dev") return { apiKey };
  const canonical = apiKey.reveal().toLowerCase().replace(/[-_]/g, "");
  if (WELL_KNOWN_ADMIN_KEYS.includes(canonical)) {
    resolution.findings.error(
      path,
      "this key stands in public documents; make one with: openssl rand -hex 32",
    );
  } else if (apiKey.reveal().length < MIN_ADMIN_KEY_LENGTH) {
    resolution.findings.error(
      path,
      `the key must have at least ${MIN_ADMIN_KEY_LENGTH} characters; make one with: openssl rand -hex 32`,
    );
  }
  return { apiKey };
}
