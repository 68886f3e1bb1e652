import { gatewayError } from "../../core/error.ts";
import { isRecord } from "../../core/json-object.ts";
import type { Principal } from "../../core/principal.ts";
import { type Result, refuse } from "../../core/result.ts";
import type { CatalogModel, Provider } from "../../engine/ports.ts";
import { findForOllama, type ModelRoutePorts } from "./model-routes.ts";
import { HeldBodies, readJsonBody } from "./read-body.ts";

/** The version of Ollama whose API the routes follow; said where no Ollama answers. */
const FOLLOWED_VERSION = "0.24.0";
const ASK_TIMEOUT_MS = 10_000;
const QUESTIONS = new HeldBodies({ maxBytes: 64 * 1024, maxHeldBytes: 8 * 1024 * 1024 });

/** What Ollama itself is asked for besides inferences. Providers that are an Ollama have it. */
export interface OllamaQueries {
  query(method: "GET" | "POST", path: string, body: unknown, timeoutMs: number): Promise<Response>;
}

export interface OllamaRoutePorts extends ModelRoutePorts {
  /** How to ask a provider, if it is an Ollama. */
  readonly ollamaOf: (provider: Provider) => OllamaQueries | undefined;
  readonly ollamas: () => readonly OllamaQueries[];
}

/** `POST /api/show`: asked of the Ollama that serves the model, for models that the key may use. */
export async function showForOllama(
  ports: OllamaRoutePorts,
  principal: Principal,
  request: Request,
): Promise<Result<unknown> | Response> {
  const read = await readName(request);
  if (!read.ok) return read;
  const { name, body } = read.value;
  const model = await findForOllama(ports, principal, name);
  const served = model === undefined ? undefined : ollamaTarget(ports, model);
  if (served === undefined)
    return refuse(gatewayError("model_not_found", `model '${name.slice(0, 128)}' not found`));
  const asked = { ...body, model: served.model };
  return await served.ollama.query("POST", "/api/show", asked, ASK_TIMEOUT_MS);
}

/** `GET /api/version`: of the first Ollama that answers. */
export async function ollamaVersion(ports: OllamaRoutePorts): Promise<{ version: string }> {
  for (const ollama of ports.ollamas()) {
    try {
      const body: unknown = await (
        await ollama.query("GET", "/api/version", undefined, ASK_TIMEOUT_MS)
      ).json();
      if (isRecord(body) && typeof body["version"] === "string") return { version: body["version"] };
    } catch {
      // It does not answer, or not with JSON: the next one may.
    }
  }
  return { version: FOLLOWED_VERSION };
}

function ollamaTarget(ports: OllamaRoutePorts, model: CatalogModel) {
  for (const target of model.targets) {
    const ollama = ports.ollamaOf(target.provider);
    if (ollama !== undefined) return { ollama, model: target.model };
  }
  return undefined;
}

async function readName(request: Request): Promise<Result<{ name: string; body: Record<string, unknown> }>> {
  const read = await readJsonBody(request, QUESTIONS);
  if (!read.ok) return read;
  const body = read.value;
  const name = isRecord(body) ? (body["model"] ?? body["name"]) : undefined;
  if (typeof name !== "string" || name === "" || !isRecord(body)) {
    return refuse(gatewayError("bad_request", "model is required", { param: "model" }));
  }
  return { ok: true, value: { name, body } };
}
