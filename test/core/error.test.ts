import { describe, expect, test } from "bun:test";
import {
  type ErrorKind,
  GatewayFailure,
  gatewayError,
  httpStatusOf,
  toGatewayError,
} from "../../src/core/error.ts";
import { ok, refuse } from "../../src/core/result.ts";
import { anthropicErrorBody } from "../../src/protocols/anthropic-messages/error.ts";
import { ollamaErrorBody } from "../../src/protocols/ollama/error.ts";
import { openAiErrorBody } from "../../src/protocols/openai/error.ts";

interface Rendering {
  readonly status: number;
  readonly openai: { readonly type: string; readonly code: string | null };
  readonly anthropic: string;
}

const invalid = (code: string | null = null) => ({ type: "invalid_request_error", code });
const server = (code: string | null = null) => ({ type: "server_error", code });

/** How each kind is told in each protocol. A new kind needs a line here. */
const KINDS: Record<ErrorKind, Rendering> = {
  bad_request: { status: 400, openai: invalid(), anthropic: "invalid_request_error" },
  ambiguous_credentials: {
    status: 400,
    openai: invalid("ambiguous_credentials"),
    anthropic: "invalid_request_error",
  },
  missing_credentials: { status: 401, openai: invalid("invalid_api_key"), anthropic: "authentication_error" },
  invalid_credentials: { status: 401, openai: invalid("invalid_api_key"), anthropic: "authentication_error" },
  permission_denied: {
    status: 403,
    openai: { type: "permission_error", code: null },
    anthropic: "permission_error",
  },
  not_found: { status: 404, openai: invalid(), anthropic: "not_found_error" },
  method_not_allowed: { status: 405, openai: invalid(), anthropic: "invalid_request_error" },
  model_not_found: { status: 404, openai: invalid("model_not_found"), anthropic: "not_found_error" },
  conflict: { status: 409, openai: invalid(), anthropic: "invalid_request_error" },
  too_large: { status: 413, openai: invalid(), anthropic: "request_too_large" },
  protocol_mismatch: { status: 400, openai: invalid(), anthropic: "invalid_request_error" },
  model_not_priced: { status: 503, openai: server(), anthropic: "api_error" },
  not_configured: { status: 503, openai: server("provider_not_configured"), anthropic: "api_error" },
  overloaded: { status: 503, openai: server("overloaded"), anthropic: "overloaded_error" },
  storage_unavailable: { status: 503, openai: server("storage_unavailable"), anthropic: "api_error" },
  draining: { status: 503, openai: server("draining"), anthropic: "overloaded_error" },
  provider_rejected: { status: 502, openai: server(), anthropic: "api_error" },
  provider_unreachable: { status: 502, openai: server("provider_unreachable"), anthropic: "api_error" },
  provider_timeout: { status: 504, openai: server("provider_timeout"), anthropic: "timeout_error" },
  provider_broken: { status: 502, openai: server("provider_broken"), anthropic: "api_error" },
  client_closed: { status: 499, openai: invalid(), anthropic: "invalid_request_error" },
  internal: { status: 500, openai: server(), anthropic: "api_error" },
};

describe.each(Object.entries(KINDS))("%s", (kind, { status, openai, anthropic }) => {
  const error = gatewayError(kind as ErrorKind, "what happened");

  test(`is ${status}`, () => {
    expect(httpStatusOf(error)).toBe(status);
  });

  test("has a shape in every protocol", () => {
    expect(openAiErrorBody(error)).toEqual({ error: { message: "what happened", param: null, ...openai } });
    expect(anthropicErrorBody(error, "id")).toEqual({
      type: "error",
      error: { type: anthropic, message: "what happened" },
      request_id: "id",
    });
    expect(ollamaErrorBody(error)).toEqual({ error: "what happened" });
  });
});

test("an error's own field and code are told in OpenAI's shape", () => {
  const error = gatewayError("bad_request", "no", { param: "model", code: "special" });
  expect(openAiErrorBody(error).error).toMatchObject({ param: "model", code: "special" });
});

describe("what a provider answered", () => {
  test.each([
    [400, 400],
    [404, 404],
    [413, 413],
    [422, 422],
    [429, 429],
    [401, 502],
    [402, 502],
    [403, 502],
    [407, 502],
    [500, 502],
    [503, 502],
    [529, 502],
    [302, 502],
    [200, 502],
  ])("%p becomes %p", (providerStatus, status) => {
    expect(httpStatusOf(gatewayError("provider_rejected", "", { providerStatus }))).toBe(status);
  });

  test("counts only where the provider rejected the request", () => {
    expect(httpStatusOf(gatewayError("provider_broken", "", { providerStatus: 429 }))).toBe(502);
  });
});

describe("anything thrown", () => {
  test("of ours keeps its error, and has the cause for the log", () => {
    const error = gatewayError("conflict", "taken");
    const cause = new Error("deep");
    const failure = new GatewayFailure(error, cause);
    expect(toGatewayError(failure)).toBe(error);
    expect(failure.cause).toBe(cause);
    expect("cause" in new GatewayFailure(error)).toBe(false);
  });

  test.each<[string, unknown]>([
    ["an exception", new Error("secret")],
    ["a text", "secret"],
    ["nothing", undefined],
    ["null", null],
    ["an object", { message: "secret" }],
  ])("else is an internal error without its text: %s", (_, thrown) => {
    expect(toGatewayError(thrown)).toEqual({ kind: "internal", message: "Internal server error" });
  });
});

test("a result is a value or a refusal", () => {
  expect(ok(5)).toEqual({ ok: true, value: 5 });
  expect(refuse(gatewayError("conflict", "taken"))).toEqual({
    ok: false,
    error: { kind: "conflict", message: "taken" },
  });
});
