import { gatewayError } from "../core/error.ts";
import type { Principal } from "../core/principal.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { Catalog, CatalogModel, InferenceRequest, ProtocolName, Target } from "./ports.ts";

/** Who could serve a request, in the order to try them. */
export interface Route {
  readonly model: CatalogModel;
  readonly candidates: readonly [Target, ...Target[]];
}

/**
 * From a model's name to the providers that serve it and speak the caller's protocol. A model that the key may not use
 * is answered exactly as one that does not exist.
 */
export async function route(
  catalog: Catalog,
  principal: Principal,
  request: InferenceRequest,
): Promise<Result<Route>> {
  const found = catalog.find(request.model);
  const model = found instanceof Promise ? await found : found;
  if (model === undefined || !mayUse(principal, model.name)) return refuse(unknownModel(request.model));
  if (model.unavailable !== undefined) return refuse(model.unavailable);
  const [first, ...others] = model.targets.filter((target) => target.provider.speaks(request.protocol));
  if (first === undefined) return refuse(mismatch(model, request.protocol));
  return ok({ model, candidates: [first, ...others] });
}

/** The one place that decides whether a key may use, or see, a model. `model` is its canonical public name. */
export function mayUse(principal: Principal, model: string): boolean {
  return principal.allowedModels === null || principal.allowedModels.has(model);
}

function unknownModel(name: string) {
  const shown = name.length > 128 ? `${name.slice(0, 128)}…` : name;
  return gatewayError("model_not_found", `The model '${shown}' does not exist or this key may not use it.`, {
    code: "model_not_found",
    param: "model",
  });
}

function mismatch(model: CatalogModel, protocol: ProtocolName) {
  const providers = [...new Set(model.targets.map((target) => target.provider.name))].join(", ");
  const text = `The model '${model.name}' is served by '${providers}', which does not speak this protocol (${protocol}), and translation between protocols is not available yet. Call it through ${spokenInstead(model, protocol)}.`;
  return gatewayError("protocol_mismatch", text, { param: "model", code: "protocol_mismatch" });
}

const ROUTES: Record<ProtocolName, string> = {
  "openai-chat": "/v1/chat/completions",
  "openai-completions": "/v1/completions",
  "openai-embeddings": "/v1/embeddings",
  "anthropic-messages": "/v1/messages",
  "ollama-chat": "/api/chat",
  "ollama-generate": "/api/generate",
  "ollama-embed": "/api/embed",
};

/** Protocols that ask for the same thing. */
const ALIKE: readonly (readonly ProtocolName[])[] = [
  ["openai-chat", "anthropic-messages", "ollama-chat"],
  ["openai-completions", "ollama-generate"],
  ["openai-embeddings", "ollama-embed"],
];

/** Where the model can be asked for the same thing; if nowhere, where it can be asked for anything. */
function spokenInstead(model: CatalogModel, protocol: ProtocolName): string {
  const names = Object.keys(ROUTES) as ProtocolName[];
  const spoken = names.filter((name) => model.targets.some((target) => target.provider.speaks(name)));
  const alike = spoken.filter((name) =>
    ALIKE.some((group) => group.includes(name) && group.includes(protocol)),
  );
  const paths = (alike.length > 0 ? alike : spoken).map((name) => ROUTES[name]);
  return paths.length > 0 ? paths.join(" or ") : "another route";
}
