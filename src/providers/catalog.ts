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
    const silent = this.#providers.find((provider) => this.#mayServeUnlisted(provider, name));
    if (silent === undefined) return undefined;
    const text = `The model '${name.slice(0, 128)}' is not known, and the provider '${silent.name}' cannot be asked for its models at the moment.`;
    throw new GatewayFailure(gatewayError("provider_unreachable", text, { retryAfterMs: UNKNOWN_PAUSE_MS }));
  }

  #mayServeUnlisted(provider: Provider, name: string): boolean {
    const listing = this.#listings.get(provider.name);
    const isMeant = provider.paid || name.startsWith(`${provider.name}/`);
    return isMeant && listing?.failure !== undefined && listing.models.length === 0;
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
    for (const { aliases } of this.#declared)
      for (const alias of aliases) declaredNames.add(canonicalModelName(alias));
    for (const provider of this.#providers) {
      for (const listed of this.#listings.get(provider.name)?.models ?? []) {
        const name = publicName(listed);
        if (USABLE_NAME.test(name) && !declaredNames.has(name)) addListed(models, provider, listed);
      }
    }
    this.#index = this.#indexOf(models);
    // What another name has covered cannot be asked for, so it is not listed.
    this.#models = [...models.values()].filter(
      (model) => this.#index.get(canonicalModelName(model.name)) === model,
    );
  }

  #declaredModel(declared: DeclaredModel): CatalogModel {
    const targets = declared.targets.flatMap(({ provider, model }): Target[] => {
      const found = this.#providers.find((candidate) => candidate.name === provider);
      return found !== undefined && found.lacks(model) === undefined ? [{ provider: found, model }] : [];
    });
    const { id, name, aliases, active, createdAtMs } = declared;
    const usable = active && targets.length > 0;
    const text = active
      ? `Model '${name}' is not configured${this.#whyNot(declared)}`
      : `Model '${name}' is not active`;
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

  /** What stands in the way of a declared model, as the end of a sentence. */
  #whyNot({ targets }: DeclaredModel): string {
    const reasons = targets.map(({ provider, model }) => {
      const found = this.#providers.find((candidate) => candidate.name === provider);
      return found === undefined
        ? `there is no provider '${provider}' with its credentials`
        : found.lacks(model);
    });
    const known = reasons.filter((reason) => reason !== undefined);
    return known.length > 0 ? `: ${known.join("; ")}` : "";
  }

  #indexOf(models: ReadonlyMap<string, CatalogModel>): Map<string, CatalogModel> {
    const declared = new Set(this.#declared.map(({ name }) => canonicalModelName(name)));
    // Weakest first: a later entry wins. What the operator says comes last.
    const index = new Map(models);
    for (const [name, model] of this.#qualified(models)) index.set(name, model);
    for (const model of models.values())
      for (const alias of model.aliases) index.set(canonicalModelName(alias), model);
    for (const [name, model] of models) if (declared.has(name)) index.set(name, model);
    return index;
  }

  /**
   * `provider/model` for everything that is listed. It is the public model that has this target, served by this one
   * provider: so its price, whether it is active, and who may use it, are the public model's.
   */
  #qualified(models: ReadonlyMap<string, CatalogModel>): Map<string, CatalogModel> {
    const owners = new Map<string, CatalogModel>();
    for (const model of models.values()) {
      for (const { provider, model: name } of model.targets) {
        const key = `${provider.name}\n${name}`;
        if (!owners.has(key)) owners.set(key, model);
      }
    }
    const qualified = new Map<string, CatalogModel>();
    for (const provider of this.#providers) {
      for (const listed of this.#listings.get(provider.name)?.models ?? []) {
        const name = `${provider.name}/${publicName(listed)}`;
        const targets = [{ provider, model: listed.model }];
        const owner = owners.get(`${provider.name}\n${listed.model}`);
        const own = { name, aliases: [], createdAtMs: listed.createdAtMs ?? 0 };
        qualified.set(name, { ...(owner ?? own), targets });
      }
    }
    return qualified;
  }
}

/** Names that a provider may list: what cannot be typed, or would break a line of a log, is not offered. */
const USABLE_NAME = /^[^\s\p{Cc}]{1,200}$/u;

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
