import { type GatewayError, httpStatusOf } from "../../core/error.ts";
import type { ErrorShape } from "../../engine/ports.ts";
import { anthropicErrorBody } from "../../protocols/anthropic-messages/error.ts";
import { ollamaErrorBody } from "../../protocols/ollama/error.ts";
import { openAiErrorBody } from "../../protocols/openai/error.ts";

/** How errors look on a group of routes: a protocol's own shape, or the gateway's (`{"error":{message,type}}`). */
export type RouteShape = ErrorShape | "gateway";

/** Kinds that the same request cannot outlive: the official clients would otherwise try it twice more. */
const HOPELESS: ReadonlySet<string> = new Set([
  "not_configured",
  "model_not_priced",
  "conflict",
  "protocol_mismatch",
]);

export function errorResponse(shape: RouteShape, error: GatewayError, requestId: string): Response {
  const headers = new Headers({ "content-type": "application/json", ...requestIdHeaders(shape, requestId) });
  const status = httpStatusOf(error);
  if (status === 401) headers.set("www-authenticate", "Bearer");
  if (error.retryAfterMs !== undefined) {
    headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))));
  }
  if (HOPELESS.has(error.kind) || error.code === "provider_account") headers.set("x-should-retry", "false");
  return new Response(JSON.stringify(errorBody(shape, error, requestId)), { status, headers });
}

export function requestIdHeaders(shape: RouteShape, requestId: string): Record<string, string> {
  return shape === "anthropic"
    ? { "x-request-id": requestId, "request-id": requestId }
    : { "x-request-id": requestId };
}

function errorBody(shape: RouteShape, error: GatewayError, requestId: string): unknown {
  switch (shape) {
    case "openai":
      return openAiErrorBody(error);
    case "anthropic":
      return anthropicErrorBody(error, requestId);
    case "ollama":
      return ollamaErrorBody(error);
    case "gateway":
      return {
        error: {
          message: error.message,
          type: error.kind === "internal" ? "internal_error" : "api_error",
          ...(error.param === undefined ? {} : { param: error.param }),
        },
      };
  }
}
