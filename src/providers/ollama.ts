import type { ListedModel } from "../engine/ports.ts";
import { type ProviderKind, recordsIn } from "./http-provider.ts";

/**
 * Ollama: its native routes, and the two surfaces in OpenAI's and Anthropic's shape that it serves itself.
 * Source: https://github.com/ollama/ollama/blob/main/docs/api.md
 */
export const OLLAMA: ProviderKind = {
  paths: {
    "ollama-chat": "/api/chat",
    "ollama-generate": "/api/generate",
    "ollama-embed": "/api/embed",
    "openai-chat": "/v1/chat/completions",
    "openai-completions": "/v1/completions",
    "openai-embeddings": "/v1/embeddings",
    "anthropic-messages": "/v1/messages",
  },
  listPath: "/api/tags",
  readListing: (body) => recordsIn(body, "models").flatMap(listedModel),
};

function listedModel(details: Record<string, unknown>): ListedModel[] {
  const { name, model, modified_at: modifiedAt } = details;
  const known = typeof name === "string" ? name : model;
  if (typeof known !== "string") return [];
  const createdAtMs = typeof modifiedAt === "string" ? Date.parse(modifiedAt) : Number.NaN;
  return [{ model: known, details, ...(Number.isNaN(createdAtMs) ? {} : { createdAtMs }) }];
}
