import { gatewayError } from "../../core/error.ts";
import type { Principal } from "../../core/principal.ts";
import type { Catalog, CatalogModel, PriceBook, ProtocolName } from "../../engine/ports.ts";
import { mayUse } from "../../engine/route.ts";

export interface ModelRoutePorts {
  readonly catalog: Catalog;
  readonly prices: PriceBook;
  readonly nowMs: () => number;
}

const OPENAI: readonly ProtocolName[] = ["openai-chat", "openai-completions", "openai-embeddings"];
const OLLAMA: readonly ProtocolName[] = ["ollama-chat", "ollama-generate", "ollama-embed"];

/** The models that a caller may use through one of these protocols: the only place that a model list comes from. */
async function visibleModels(
  catalog: Catalog,
  principal: Principal,
  protocols: readonly ProtocolName[],
): Promise<CatalogModel[]> {
  const models = await catalog.list();
  return models.filter((model) => mayUse(principal, model.name) && speaksAny(model, protocols));
}

function speaksAny(model: CatalogModel, protocols: readonly ProtocolName[]): boolean {
  return model.targets.some((target) => protocols.some((protocol) => target.provider.speaks(protocol)));
}

/** `GET /v1/models`; Anthropic's clients ask on the same path and say so by `anthropic-version`. */
export async function listForClients(ports: ModelRoutePorts, principal: Principal, headers: Headers) {
  if (headers.get("anthropic-version") !== null) return listForAnthropic(ports, principal);
  const models = await visibleModels(ports.catalog, principal, OPENAI);
  return { object: "list", data: models.map((model) => openAiModel(ports, model)) };
}

async function listForAnthropic(ports: ModelRoutePorts, principal: Principal) {
  const models = await visibleModels(ports.catalog, principal, ["anthropic-messages"]);
  const data = models.map(anthropicModel);
  return { data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

/** `GET /v1/models/{id}`; ids may hold slashes. */
export async function showForClients(
  ports: ModelRoutePorts,
  principal: Principal,
  headers: Headers,
  id: string,
) {
  const anthropic = headers.get("anthropic-version") !== null;
  const model = await findVisible(ports.catalog, principal, id, anthropic ? ["anthropic-messages"] : OPENAI);
  if (model === undefined) {
    return gatewayError(
      "model_not_found",
      `The model '${id.slice(0, 128)}' does not exist or this key may not use it.`,
      {
        code: "model_not_found",
        param: "model",
      },
    );
  }
  return anthropic ? anthropicModel(model) : openAiModel(ports, model);
}

/** `GET /api/tags`, as Ollama answers it. */
export async function listForOllama(ports: ModelRoutePorts, principal: Principal) {
  const models = await visibleModels(ports.catalog, principal, OLLAMA);
  return { models: models.map(ollamaModel) };
}

/** `GET /api/models`: every model that the key may use, whatever the protocol, as Ollama's list and then some. */
export async function listForGateway(ports: ModelRoutePorts, principal: Principal) {
  const models = (await ports.catalog.list()).filter((model) => mayUse(principal, model.name));
  return {
    models: models.map((model) => ({
      id: model.name,
      ...ollamaModel(model),
      providers: [...new Set(model.targets.map((target) => target.provider.name))],
      pricing_configured: isPriced(ports, model),
    })),
  };
}

/** A model that Ollama's clients may ask about, with who serves it. */
export async function findForOllama(ports: ModelRoutePorts, principal: Principal, name: string) {
  return await findVisible(ports.catalog, principal, name, OLLAMA);
}

async function findVisible(
  catalog: Catalog,
  principal: Principal,
  name: string,
  protocols: readonly ProtocolName[],
): Promise<CatalogModel | undefined> {
  const model = await catalog.find(name);
  if (model === undefined || model.unavailable !== undefined || !mayUse(principal, model.name))
    return undefined;
  return speaksAny(model, protocols) ? model : undefined;
}

function openAiModel(ports: ModelRoutePorts, model: CatalogModel) {
  return {
    id: model.name,
    object: "model",
    created: Math.floor(model.createdAtMs / 1_000),
    owned_by: model.targets[0]?.provider.name ?? "parallama",
    pricing_configured: isPriced(ports, model),
  };
}

function anthropicModel(model: CatalogModel) {
  return {
    type: "model",
    id: model.name,
    display_name: model.name,
    created_at: new Date(model.createdAtMs).toISOString(),
  };
}

function ollamaModel(model: CatalogModel) {
  const unknown = { size: null, digest: null, details: null };
  const modifiedAt = new Date(model.createdAtMs).toISOString();
  return { ...unknown, modified_at: modifiedAt, ...model.details, name: model.name, model: model.name };
}

function isPriced({ prices, nowMs }: ModelRoutePorts, model: CatalogModel): boolean {
  const [target] = model.targets;
  if (target === undefined) return false;
  return prices.chargeFor(model.name, target.provider.name, target.model, nowMs()).charged !== undefined;
}
