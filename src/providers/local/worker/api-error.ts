/** What went wrong, in OpenAI's words; `status` is the HTTP status it is sent with. */
export interface ApiErrorFields {
  readonly status: number;
  readonly type: string;
  readonly param?: string;
  readonly code?: string;
  /** Whole seconds after which asking again may help; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

/**
 * A refusal or failure whose text may be shown to the client.
 * Everything else that is thrown becomes a neutral 500 (see `errorResponse`).
 */
export class ApiError extends Error {
  readonly fields: ApiErrorFields;

  constructor(message: string, fields: ApiErrorFields) {
    super(message);
    this.name = "ApiError";
    this.fields = fields;
  }
}

/** 400 `invalid_request_error`; `param` names the field at fault, such as `messages[0].content`. */
export function badRequest(message: string, param?: string, code?: string): ApiError {
  return new ApiError(message, {
    status: 400,
    type: "invalid_request_error",
    ...(param === undefined ? {} : { param }),
    ...(code === undefined ? {} : { code }),
  });
}

/** 503: all slots and waiting places are taken; nothing was started. */
export function overloaded(message: string): ApiError {
  return new ApiError(message, {
    status: 503,
    type: "server_error",
    code: "overloaded",
    retryAfterSeconds: 1,
  });
}

/** The `{"error": {...}}` body of OpenAI's protocol. */
export function errorBody(error: ApiError): { error: Record<string, string | null> } {
  const { type, param, code } = error.fields;
  return { error: { message: error.message, type, param: param ?? null, code: code ?? null } };
}

/** Any thrown value as an `ApiError`: what is not one already is told only as "internal error". */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  return new ApiError("The local model process hit an internal error.", {
    status: 500,
    type: "server_error",
    code: "internal_error",
  });
}

/** The HTTP answer for a thrown value. */
export function errorResponse(thrown: unknown): Response {
  const error = toApiError(thrown);
  const retryAfterSeconds = error.fields.retryAfterSeconds;
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return Response.json(errorBody(error), { status: error.fields.status, headers });
}
