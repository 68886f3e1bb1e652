import type { Clock } from "../core/clock.ts";
import { type GatewayError, GatewayFailure, gatewayError, toGatewayError } from "../core/error.ts";
import { canonicalModelName } from "../core/model-name.ts";
import type { Catalog, CatalogModel, ListedModel, Provider, Target } from "../engine/ports.ts";

/** A model that the operator, or the program's first start, has named. */
export interface DeclaredModel {
  readonly id?: number;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly targets: readonly { readonly provider: string; readonly model: string }[];
  readonly active: boolean;
  readonly createdAtMs: number;
}

interface Listing {
  readonly models: readonly ListedModel[];
  readonly atMs: number;
  readonly failure: GatewayError | undefined;
}

/** A list older than this is asked for again before models are listed: of a provider far away, and of one at hand. */
const STALE_MS = 60_000;
const STALE_AT_HAND_MS = 2_000;
/** An unknown name makes the providers be asked again, but not more often than this. */
const UNKNOWN_PAUSE_MS = 2_000;

/**
 * Model names and who serves them: what was declared, then what each provider lists, in the order of the providers.
 * Where several offer one name, it has several targets. `provider/model` always names that provider's model.
 */
export class ModelCatalog implements Catalog {
  readonly #clock: Clock;
  #providers: readonly Provider[] = [];
  #declared: readonly DeclaredModel[] = [];
  #listings = new Map<string, Listing>();
  #index = new Map<string, CatalogModel>();
  #models: readonly CatalogModel[] = [];
  #refreshing: Promise<void> | undefined;
  #dormant: (name: string) => GatewayError | undefined = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Sets what the catalogue is made of. Lists of providers that stay are kept. `dormant`: why a model cannot be called
   * that is known to belong to a provider without its credentials.
   */
  configure(
    providers: readonly Provider[],
    declared: readonly DeclaredModel[],
    dormant: (name: string) => GatewayError | undefined = () => undefined,
  ): void {
    this.#dormant = dormant;
    const kept = new Set(
      providers.filter((provider) => this.#providers.includes(provider)).map((p) => p.name),
    );
    for (const name of this.#listings.keys()) if (!kept.has(name)) this.#listings.delete(name);
    this.#providers = providers;
    this.#declared = declared;
    this.#build();
  }

  find(name: string): CatalogModel | undefined | Promise<CatalogModel | undefined> {
    const known = this.#index.get(canonicalModelName(name));
    if (known !== undefined && known.unavailable === undefined) return known;
    return this.#findAfterRefresh(name);
  }

  async list(): Promise<readonly CatalogModel[]> {
    await this.refresh(STALE_MS);
    return this.#models.filter((model) => model.unavailable === undefined);
  }

  /** Every model that is known, also those that nobody can serve now. */
  all(): readonly CatalogModel[] {
    return this.#models;
  }

  providers(): readonly Provider[] {
    return this.#providers;
  }

  /** The canonical public name of a name or alias; a name that is not known stays as it is. */
  canonical(name: string): string {
    return this.#index.get(canonicalModelName(name))?.name ?? canonicalModelName(name);
  }

  knows(name: string): boolean {
    return this.#index.has(canonicalModelName(name));
  }

  /** Asks the providers whose list is older than `maxAgeMs`, all at once; what fails keeps its last list. */
  async refresh(maxAgeMs: number): Promise<void> {
    // What is being asked already may be fewer providers than this caller needs; those will be due no more.
    if (this.#refreshing !== undefined) await this.#refreshing;
    this.#refreshing ??= this.#ask(maxAgeMs).finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #findAfterRefresh(name: string): Promise<CatalogModel | undefined> {
    await this.refresh(UNKNOWN_PAUSE_MS);
    const known = this.#index.get(canonicalModelName(name));
    if (known !== undefined) return known;
    const unavailable = this.#dormant(canonicalModelName(name));
    if (unavailable !== undefined) return { name, aliases: [], targets: [], createdAtMs: 0, unavailable };
    // A provider that could not be asked may well have it: that is no reason to say that it does not exist.
    const silent = this.#providers.find((provider) => this.#mayServeUnlisted(provider));
    if (silent === undefined) return undefined;
    const text = `The model '${name.slice(0, 128)}' is not known, and the provider '${silent.name}' cannot be asked for its models at the moment.`;
    throw new GatewayFailure(gatewayError("provider_unreachable", text, { retryAfterMs: UNKNOWN_PAUSE_MS }));
  }

  #mayServeUnlisted(provider: Provider): boolean {
    const listing = this.#listings.get(provider.name);
    return provider.paid && listing?.failure !== undefined && listing.models.length === 0;
  }

  async #ask(maxAgeMs: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const due = this.#providers.filter((provider) => {
      const listing = this.#listings.get(provider.name);
      const limitMs = provider.paid ? maxAgeMs : Math.min(maxAgeMs, STALE_AT_HAND_MS);
      return listing === undefined || nowMs - listing.atMs >= limitMs;
    });
    if (due.length === 0) return;
    await Promise.all(due.map((provider) => this.#askOne(provider)));
    this.#build();
  }

  async #askOne(provider: Provider): Promise<void> {
    const last = this.#listings.get(provider.name);
    let models = last?.models ?? [];
    let failure: GatewayError | undefined;
    try {
      models = await provider.listModels();
    } catch (thrown) {
      failure = toGatewayError(thrown);
    }
    // The configuration may have put another provider in its place meanwhile.
    if (!this.#providers.includes(provider)) return;
    this.#listings.set(provider.name, { models, atMs: this.#clock.monotonicMs(), failure });
  }

  #build(): void {
    const models = new Map<string, CatalogModel>();
    for (const declared of this.#declared)
      models.set(canonicalModelName(declared.name), this.#declaredModel(declared));
    // What was declared decides for itself who serves it.
    const declaredNames = new Set(models.keys());
    for (const provider of this.#providers) {
      for (const listed of this.#listings.get(provider.name)?.models ?? []) {
        if (!declaredNames.has(publicName(listed))) addListed(models, provider, listed);
      }
    }
    this.#models = [...models.values()];
    this.#index = this.#indexOf(models);
  }

  #declaredModel(declared: DeclaredModel): CatalogModel {
    const targets = declared.targets.flatMap(({ provider, model }): Target[] => {
      const found = this.#providers.find((candidate) => candidate.name === provider);
      return found?.has(model) ? [{ provider: found, model }] : [];
    });
    const { id, name, aliases, active, createdAtMs } = declared;
    const usable = active && targets.length > 0;
    const text = active ? `Model '${name}' is not configured` : `Model '${name}' is not active`;
    return {
      name,
      aliases,
      targets,
      createdAtMs,
      ...(id === undefined ? {} : { id }),
      ...(usable
        ? {}
        : { unavailable: gatewayError("not_configured", text, { code: "model_not_configured" }) }),
    };
  }

  #indexOf(models: ReadonlyMap<string, CatalogModel>): Map<string, CatalogModel> {
    const index = new Map<string, CatalogModel>();
    // Weakest first: a later entry wins.
    for (const provider of this.#providers) {
      for (const listed of this.#listings.get(provider.name)?.models ?? []) {
        const name = `${provider.name}/${publicName(listed)}`;
        const targets = [{ provider, model: listed.model }];
        index.set(name, { name, aliases: [], targets, createdAtMs: listed.createdAtMs ?? 0 });
      }
    }
    for (const model of models.values())
      for (const alias of model.aliases) index.set(canonicalModelName(alias), model);
    for (const [name, model] of models) index.set(name, model);
    return index;
  }
}

function publicName(listed: ListedModel): string {
  return canonicalModelName(listed.name ?? listed.model);
}

/** A listed model is a model of its own, or one more target of a name that another provider offers. */
function addListed(models: Map<string, CatalogModel>, provider: Provider, listed: ListedModel): void {
  const name = publicName(listed);
  const target = { provider, model: listed.model };
  const known = models.get(name);
  if (known === undefined) {
    models.set(name, {
      name,
      aliases: [],
      targets: [target],
      createdAtMs: listed.createdAtMs ?? 0,
      ...(listed.details === undefined ? {} : { details: listed.details }),
    });
    return;
  }
  if (known.targets.some((other) => other.provider === provider)) return;
  models.set(name, { ...known, targets: [...known.targets, target] });
}
