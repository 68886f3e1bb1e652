import { type ErrorKind, type GatewayError, httpStatusOf } from "../../core/error.ts";

/**
 * An error in OpenAI's shape: https://platform.openai.com/docs/guides/error-codes
 */
export function openAiErrorBody(error: GatewayError): {
  error: { message: string; type: string; param: string | null; code: string | null };
} {
  const fallback = CODES[error.kind] ?? null;
  return {
    error: {
      message: error.message,
      type: typeOf(error),
      param: error.param ?? null,
      code: error.code ?? fallback,
    },
  };
}

const CODES: Partial<Record<ErrorKind, string>> = {
  ambiguous_credentials: "ambiguous_credentials",
  missing_credentials: "invalid_api_key",
  invalid_credentials: "invalid_api_key",
  model_not_found: "model_not_found",
  not_configured: "provider_not_configured",
  provider_timeout: "provider_timeout",
  provider_unreachable: "provider_unreachable",
  provider_broken: "provider_broken",
  overloaded: "overloaded",
  storage_unavailable: "storage_unavailable",
  draining: "draining",
};

function typeOf(error: GatewayError): string {
  const status = httpStatusOf(error);
  if (status === 429) return "rate_limit_error";
  if (status === 403) return "permission_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
