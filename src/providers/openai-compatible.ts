import type { ListedModel } from "../engine/ports.ts";
import { type ProviderKind, recordsIn } from "./http-provider.ts";

/**
 * OpenAI, and every server that speaks its protocol (vLLM, llama.cpp's server, LM Studio ...). The base URL includes
 * `/v1`, as the official clients have it.
 */
export const OPENAI_COMPATIBLE: ProviderKind = {
  paths: {
    "openai-chat": "/chat/completions",
    "openai-completions": "/completions",
    "openai-embeddings": "/embeddings",
  },
  listPath: "/models",
  readListing: (body) => recordsIn(body, "data").flatMap(listedModel),
};

function listedModel({ id, created }: Record<string, unknown>): ListedModel[] {
  if (typeof id !== "string") return [];
  return [{ model: id, ...(typeof created === "number" ? { createdAtMs: created * 1_000 } : {}) }];
}
