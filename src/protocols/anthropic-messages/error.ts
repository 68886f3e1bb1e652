import { type ErrorKind, type GatewayError, httpStatusOf } from "../../core/error.ts";

/** An error in Anthropic's shape: https://docs.anthropic.com/en/api/errors */
export function anthropicErrorBody(
  error: GatewayError,
  requestId: string,
): { type: "error"; error: { type: string; message: string }; request_id: string } {
  const byStatus: Record<number, string> = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
  };
  const status = httpStatusOf(error);
  const type =
    BY_KIND[error.kind] ?? byStatus[status] ?? (status < 500 ? "invalid_request_error" : "api_error");
  return { type: "error", error: { type, message: error.message }, request_id: requestId };
}

const BY_KIND: Partial<Record<ErrorKind, string>> = {
  not_configured: "api_error",
  model_not_priced: "api_error",
  storage_unavailable: "api_error",
};
