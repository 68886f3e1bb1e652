/**
 * What can go wrong with a request, as a closed set. A refusal is decided and returned as a value; a failure is thrown
 * as `GatewayFailure`. Both carry the same `GatewayError`, and each protocol renders it in its own shape.
 */
export type ErrorKind =
  | "bad_request" // the caller's body or headers cannot be understood
  | "ambiguous_credentials" // two different keys in one request
  | "missing_credentials"
  | "invalid_credentials" // unknown, revoked, inactive or expired: one answer for all, so that nothing can be probed
  | "permission_denied" // the key is good, and may not do this
  | "not_found" // no such route or thing
  | "method_not_allowed"
  | "model_not_found"
  | "conflict"
  | "too_large"
  | "protocol_mismatch" // the model exists, but its provider does not speak the caller's protocol
  | "model_not_priced" // a paid provider would serve it, and no price is known
  | "not_configured" // the model or its provider is known, but lacks what it needs (a key, an address, weights)
  | "overloaded" // a bound of the gateway is reached; try again
  | "storage_unavailable" // what happens could not be written down, so nothing new may happen
  | "draining" // the process is shutting down
  | "provider_rejected" // the provider answered with an error of its own
  | "provider_unreachable"
  | "provider_timeout"
  | "provider_broken" // it answered, but what it sent cannot be used or ended too early
  | "client_closed"
  | "internal";

/** An error as data. `message` is written for the caller: it never holds an address, a key, a prompt or a cause. */
export interface GatewayError {
  readonly kind: ErrorKind;
  readonly message: string;
  /** The field of the request that is to blame. */
  readonly param?: string;
  /** Machine-readable detail, in the words that OpenAI's API uses. */
  readonly code?: string;
  readonly retryAfterMs?: number;
  /** For `provider_rejected`: the HTTP status that the provider answered with. */
  readonly providerStatus?: number;
}

export type ErrorDetails = Omit<GatewayError, "kind" | "message">;

export function gatewayError(kind: ErrorKind, message: string, details?: ErrorDetails): GatewayError {
  return details === undefined ? { kind, message } : { kind, message, ...details };
}

/** A `GatewayError` on its way up the stack. `cause` goes to the error log only. */
export class GatewayFailure extends Error {
  readonly error: GatewayError;

  constructor(error: GatewayError, cause?: unknown) {
    super(error.message, cause === undefined ? undefined : { cause });
    this.name = "GatewayFailure";
    this.error = error;
  }
}

/** Turns anything thrown into a `GatewayError`; what is not ours becomes `internal`, without its text. */
export function toGatewayError(thrown: unknown): GatewayError {
  if (thrown instanceof GatewayFailure) return thrown.error;
  return gatewayError("internal", "Internal server error");
}

const STATUS: Record<ErrorKind, number> = {
  bad_request: 400,
  ambiguous_credentials: 400,
  missing_credentials: 401,
  invalid_credentials: 401,
  permission_denied: 403,
  not_found: 404,
  method_not_allowed: 405,
  model_not_found: 404,
  conflict: 409,
  too_large: 413,
  protocol_mismatch: 400,
  model_not_priced: 503,
  not_configured: 503,
  overloaded: 503,
  storage_unavailable: 503,
  draining: 503,
  provider_rejected: 502,
  provider_unreachable: 502,
  provider_timeout: 504,
  provider_broken: 502,
  client_closed: 499,
  internal: 500,
};

/**
 * The HTTP status of an error. What a provider says of the caller's request (400, 404, 413, 422, 429 ...) is passed on;
 * what it says of our credentials (401, 403) or of itself (5xx) is a 502, for the caller can do nothing about it.
 */
export function httpStatusOf(error: GatewayError): number {
  const status = error.providerStatus;
  if (error.kind !== "provider_rejected" || status === undefined) return STATUS[error.kind];
  const aboutUs = status === 401 || status === 402 || status === 403 || status === 407;
  return status >= 400 && status < 500 && !aboutUs ? status : 502;
}
