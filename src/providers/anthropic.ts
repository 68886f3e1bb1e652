import type { ListedModel } from "../engine/ports.ts";
import { type ProviderKind, recordsIn } from "./http-provider.ts";

/** The version of the API that is asked for where the caller names none: https://docs.anthropic.com/en/api/versioning */
const DEFAULT_VERSION = "2023-06-01";

/** Anthropic's API. The base URL is without `/v1`, as the official clients have it. */
export const ANTHROPIC: ProviderKind = {
  paths: { "anthropic-messages": "/v1/messages" },
  listPath: "/v1/models?limit=1000",
  defaultHeaders: { "anthropic-version": DEFAULT_VERSION },
  readListing: (body) => recordsIn(body, "data").flatMap(listedModel),
};

function listedModel({ id, created_at: createdAt }: Record<string, unknown>): ListedModel[] {
  if (typeof id !== "string") return [];
  const createdAtMs = typeof createdAt === "string" ? Date.parse(createdAt) : Number.NaN;
  return [{ model: id, ...(Number.isNaN(createdAtMs) ? {} : { createdAtMs }) }];
}
