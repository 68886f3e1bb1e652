import { fileURLToPath } from "node:url";
import type { Config, ProviderConfig } from "./config/config.ts";
import type { Clock } from "./core/clock.ts";
import { type GatewayError, gatewayError } from "./core/error.ts";
import type { PriceBook, Provider } from "./engine/ports.ts";
import type { DeclaredModel, ModelCatalog } from "./providers/catalog.ts";
import type { LocalProcess } from "./providers/local/local-process.ts";
import { LocalProvider } from "./providers/local/local-provider.ts";
import { createProvider, type ProviderDeclaration } from "./providers/registry.ts";
import type { Db } from "./storage/database.ts";

const DEMO_MODEL_PATH = fileURLToPath(new URL("../assets/models/parallama-demo.gguf", import.meta.url));

/** What the catalogue is filled from, and into. */
export interface CatalogParts {
  readonly clock: Clock;
  readonly db: Db;
  readonly catalog: ModelCatalog;
  readonly prices: PriceBook;
  readonly localProcess: LocalProcess;
  keptProviders: ReadonlyMap<string, KeptProvider>;
}

/** A provider that stays as it is while its declaration does: its list of models and its connections stay too. */
export interface KeptProvider {
  readonly fingerprint: string;
  readonly provider: Provider;
}

/** Fills the catalogue from the configuration and from what was added to the database. */
export async function fillCatalog(parts: CatalogParts, config: Config): Promise<void> {
  const local = {
    process: parts.localProcess,
    modelsDir: config.local.modelsDir,
    demoModelPath: DEMO_MODEL_PATH,
  };
  const kept = new Map<string, KeptProvider>();
  const providers = config.providers
    .filter((provider) => provider.apiKey !== null || !needsKey(provider))
    .map((configured) => {
      const declaration = declarationOf(configured);
      const fingerprint = JSON.stringify([declaration, local.modelsDir]);
      const known = parts.keptProviders.get(configured.name);
      const provider =
        known?.fingerprint === fingerprint
          ? known.provider
          : createProvider(declaration, local, () => parts.clock.now());
      kept.set(configured.name, { fingerprint, provider });
      return provider;
    });
  parts.keptProviders = kept;
  // Pulled files are known by their receipts, which are read asynchronously.
  for (const provider of providers) if (provider instanceof LocalProvider) await provider.listModels();
  const stored = await storedModels(parts.db);
  // The file comes last: what an operator wrote there holds against a model of the same name in the database.
  const declared = [...stored, ...configuredModels(config, stored)];
  parts.catalog.configure(providers, declared, (name) => dormantModel(parts, config, name));
}

const KEY_VARIABLES: Readonly<Record<string, string>> = {
  openai: "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
};

/** A model that only a built-in provider is known for (it has a price for it), while that provider has no key. */
function dormantModel(parts: CatalogParts, config: Config, name: string): GatewayError | undefined {
  const owner = config.providers.find((provider) => {
    if (provider.apiKey !== null || !needsKey(provider)) return false;
    const model = name.startsWith(`${provider.name}/`) ? name.slice(provider.name.length + 1) : name;
    return parts.prices.chargeFor(model, provider.name, model, parts.clock.now()).cost !== undefined;
  });
  if (owner === undefined) return undefined;
  const variable = KEY_VARIABLES[owner.name] ?? "its key";
  const text = `${variable} not configured: the model '${name}' is served by '${owner.name}', for which this gateway has no key.`;
  return gatewayError("not_configured", text, { code: "provider_not_configured", param: "model" });
}

/** A built-in provider without its key is not there; one that was configured without a key may need none. */
function needsKey(provider: ProviderConfig): boolean {
  return (
    provider.declaredBy === "built-in" &&
    (provider.type === "openai-compatible" || provider.type === "anthropic")
  );
}

function declarationOf(provider: ProviderConfig): ProviderDeclaration {
  const { name, type, baseUrl, timeouts, models } = provider;
  const headers = Object.entries(provider.headers).map(([header, value]) => [header, value.reveal()]);
  return {
    name,
    type,
    baseUrl,
    timeouts,
    models,
    apiKey: provider.apiKey?.reveal() ?? null,
    headers: Object.fromEntries(headers),
    paid: provider.billing === "paid",
  };
}

/** A configured model keeps the number that the database has given its name. */
function configuredModels(config: Config, stored: readonly DeclaredModel[]): DeclaredModel[] {
  return config.models.map(({ id, name, aliases, targets, active }) => {
    const number = id ?? stored.find((model) => model.name === name)?.id;
    return {
      ...(number === undefined ? {} : { id: number }),
      name,
      aliases,
      targets,
      active,
      createdAtMs: 0,
    };
  });
}

async function storedModels(db: Db): Promise<DeclaredModel[]> {
  const rows = await db.selectFrom("models").selectAll().orderBy("id").execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    aliases: JSON.parse(row.aliases),
    targets: JSON.parse(row.targets),
    active: row.state === "active",
    createdAtMs: row.created_at_ms,
  }));
}

/** The files to load at the start. A name that means no local model is told, and stops nothing. */
export async function preloadPaths(
  catalog: ModelCatalog,
  { local, models }: Config,
  unknown: (name: string) => void,
): Promise<string[]> {
  const names = [...local.preload, ...models.filter((model) => model.preload).map((model) => model.name)];
  const paths = new Set<string>();
  for (const name of names) {
    const target = (await catalog.find(name))?.targets[0];
    const path = target?.provider instanceof LocalProvider ? target.provider.pathOf(target.model) : undefined;
    if (path === undefined) unknown(name);
    else paths.add(path);
  }
  return [...paths];
}
