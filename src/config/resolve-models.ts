import { canonicalModelName } from "../core/model-name.ts";
import type { ModelConfig, ModelTarget, ProviderConfig } from "./config.ts";
import type { KeyPath } from "./key-path.ts";
import { nearest } from "./nearest.ts";
import { type Resolution, resolveSecret } from "./resolution.ts";
import {
  checkedKey,
  defaultBilling,
  defaultProviderSettings,
  providerTimeouts,
} from "./resolve-providers.ts";
import type { ModelSettings } from "./settings-schema.ts";

export interface ResolvedModels {
  readonly models: readonly ModelConfig[];
  /** Providers that models with an `api_url` stand for. */
  readonly providers: readonly ProviderConfig[];
}

/** Every model of `models`, its targets checked against the providers. */
export function resolveModels(
  resolution: Resolution,
  settings: readonly (ModelSettings | undefined)[],
  known: readonly ProviderConfig[],
): ResolvedModels {
  const models: ModelConfig[] = [];
  const providers: ProviderConfig[] = [];
  settings.forEach((own, index) => {
    if (own === undefined) return;
    const path = ["models", index];
    const listed = own.config === undefined ? own.targets : undefined;
    const remote = own.config?.api_url === undefined ? undefined : remoteProvider(resolution, path, own);
    if (remote !== undefined) providers.push(remote);
    models.push({
      name: own.name,
      id: own.id ?? null,
      aliases: own.aliases,
      targets:
        listed?.filter((target) => target !== undefined) ?? shorthandTargets(resolution, path, own, remote),
      preload: own.config?.preload ?? false,
      active: own.active,
    });
    if (listed !== undefined) checkTargets(resolution, path, listed, known);
  });
  refuseRepeated(resolution, settings);
  return { models, providers };
}

function shorthandTargets(
  resolution: Resolution,
  path: KeyPath,
  own: ModelSettings,
  remote: ProviderConfig | undefined,
): ModelTarget[] {
  const { findings } = resolution;
  const config = own.config;
  // Where the decisive part was wrong, what follows from its absence is no news.
  if (findings.hasFailedWithin([...path, "config"]) || findings.hasFailedWithin([...path, "targets"]))
    return [];
  if (config === undefined) {
    findings.error([...path, "targets"], "required: where the model runs, as `targets` or `config`");
    return [];
  }
  if (own.targets !== undefined)
    findings.error([...path, "targets"], "give either `targets` or `config`, not both");
  if ((config.model_path === undefined) === (config.api_url === undefined)) {
    findings.error([...path, "config"], "expected exactly one of `model_path` and `api_url`");
  }
  if (remote !== undefined) return [{ provider: remote.name, model: config.model_name ?? own.name }];
  for (const key of ["api_key", "model_name"] as const) {
    if (config[key] !== undefined)
      findings.error([...path, "config", key], "this belongs to `api_url`, which is missing");
  }
  return config.model_path === undefined ? [] : [{ provider: "local", model: config.model_path }];
}

/** Its name has a colon, which configured names cannot have. */
function remoteProvider(resolution: Resolution, path: KeyPath, own: ModelSettings): ProviderConfig {
  const keyPath = [...path, "config", "api_key"];
  const model = own.config?.model_name ?? own.name;
  return {
    name: `model:${own.name}`,
    type: "openai-compatible",
    baseUrl: own.config?.api_url ?? "",
    apiKey: checkedKey(resolution, keyPath, resolveSecret(resolution, keyPath, own.config?.api_key)),
    headers: {},
    billing: defaultBilling("openai-compatible"),
    timeouts: providerTimeouts(defaultProviderSettings()),
    models: [model],
    declaredBy: "model",
  };
}

function checkTargets(
  resolution: Resolution,
  path: KeyPath,
  targets: readonly (ModelTarget | undefined)[],
  known: readonly ProviderConfig[],
): void {
  const { findings } = resolution;
  if (targets.length === 0) findings.error([...path, "targets"], "expected at least one target");
  targets.forEach((target, index) => {
    if (target === undefined) return;
    const provider = known.find((each) => each.name === target.provider);
    const at = [...path, "targets", index];
    if (provider === undefined) {
      if (findings.hasFailed(["providers", target.provider, "type"])) return;
      const near = nearest(
        target.provider,
        known.map((each) => each.name),
      );
      findings.error(
        [...at, "provider"],
        `there is no provider of this name; ${near === undefined ? `known: ${known.map((each) => each.name).join(", ")}` : `did you mean \`${near}\`?`}`,
      );
    } else if (provider.models !== null && !serves(provider.models, target.model)) {
      findings.error([...at, "model"], `\`providers.${provider.name}.models\` does not list it`);
    }
  });
}

function serves(models: readonly string[], model: string): boolean {
  return models.some((each) => canonicalModelName(each) === canonicalModelName(model));
}

function refuseRepeated(resolution: Resolution, settings: readonly (ModelSettings | undefined)[]): void {
  const names = new Map<string, string>();
  const ids = new Map<number, string>();
  settings.forEach((own, index) => {
    if (own === undefined) return;
    const claim = (path: KeyPath, name: string): void => {
      const canonical = canonicalModelName(name);
      const owner = names.get(canonical);
      if (owner !== undefined) resolution.findings.error(path, `the name is taken by \`${owner}\``);
      names.set(canonical, `models[${index}]`);
    };
    claim(["models", index, "name"], own.name);
    own.aliases.forEach((alias, at) => {
      claim(["models", index, "aliases", at], alias);
    });
    if (own.id === undefined) return;
    const owner = ids.get(own.id);
    if (owner !== undefined)
      resolution.findings.error(["models", index, "id"], `the id is taken by \`${owner}\``);
    ids.set(own.id, `models[${index}]`);
  });
}
