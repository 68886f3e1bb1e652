import { usdText } from "../core/money.ts";
import type { Config, ModelConfig, ProviderConfig, UnpricedRule } from "./config.ts";
import { formatDurationMs } from "./parse-duration-ms.ts";
import { formatListenAddress } from "./parse-listen-address.ts";
import { formatSize } from "./parse-size.ts";
import type { Tree } from "./tree.ts";

/**
 * A configuration written the way a file writes it: snake_case keys, sizes and durations as text. Secrets stand in it
 * as `Secret`. Keys that are not set are left out.
 */
export function configTree(config: Config): Tree {
  const { server, local, logging } = config;
  return withoutUnset({
    data_dir: config.dataDir,
    server: {
      host: server.host,
      port: server.port,
      listen: server.listen.map(formatListenAddress),
      workers: server.workers,
      max_body_bytes: formatSize(server.maxBodyBytes),
      max_held_body_bytes: formatSize(server.maxHeldBodyBytes),
      max_json_depth: server.maxJsonDepth,
      max_concurrent_requests: server.maxConcurrentRequests,
      drain_timeout: formatDurationMs(server.drainTimeoutMs),
    },
    database: { path: config.database.path },
    providers: Object.fromEntries(
      config.providers
        .filter((provider) => provider.declaredBy !== "model")
        .map((provider) => [provider.name, providerTree(provider)]),
    ),
    ollama: { default_stream: config.ollama.defaultStream },
    models: config.models.map((model) => modelTree(model, config.providers)),
    local: {
      models_dir: local.modelsDir,
      threads: local.threads,
      gpu: local.gpu,
      slots: local.slots,
      context_tokens: local.contextTokens,
      max_loaded_models: local.maxLoadedModels,
      preload: local.preload,
    },
    pricing: { unpriced: unpricedText(config.pricing.unpriced) },
    logging: {
      level: logging.level,
      format: logging.format,
      dir: logging.dir,
      max_size: formatSize(logging.maxBytes),
      backup_count: logging.backupCount,
      access: logging.access,
    },
    hub: { url: config.hub.baseUrl, token: config.hub.token },
    admin: { api_key: config.admin.apiKey },
  });
}

function providerTree(provider: ProviderConfig): Tree {
  const { timeouts } = provider;
  return withoutUnset({
    type: provider.type,
    base_url: provider.baseUrl,
    api_key: provider.apiKey,
    headers: { ...provider.headers },
    billing: provider.billing,
    timeouts: {
      connect: formatDurationMs(timeouts.connectMs),
      first_byte: formatDurationMs(timeouts.firstByteMs),
      idle: formatDurationMs(timeouts.idleMs),
      total: formatDurationMs(timeouts.totalMs),
    },
    models: provider.models,
  });
}

function modelTree(model: ModelConfig, providers: readonly ProviderConfig[]): Tree {
  const shared = { name: model.name, id: model.id, aliases: model.aliases };
  const [first] = model.targets;
  const provider = providers.find((each) => each.name === first?.provider);
  if (first !== undefined && provider?.declaredBy === "model") {
    const { baseUrl, apiKey } = provider;
    const config = { api_url: baseUrl, api_key: apiKey, model_name: first.model, preload: model.preload };
    return withoutUnset({ ...shared, config: withoutUnset(config), active: model.active });
  }
  if (first?.provider === "local" && model.targets.length === 1) {
    return withoutUnset({
      ...shared,
      config: { model_path: first.model, preload: model.preload },
      active: model.active,
    });
  }
  return withoutUnset({
    ...shared,
    targets: model.targets.map((target) => ({ ...target })),
    active: model.active,
  });
}

function unpricedText(rule: UnpricedRule): string {
  return rule.kind === "flat" ? usdText(rule.costNanoUsd) : rule.kind;
}

function withoutUnset(tree: Tree): Tree {
  const entries = Object.entries(tree).map(([key, value]): [string, unknown] => [
    key,
    isPlainGroup(value) ? withoutUnset(value) : value,
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined));
}

/** A `Secret` is an object too, and must stay one. */
function isPlainGroup(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
