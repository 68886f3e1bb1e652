import { type GatewayError, gatewayError, toGatewayError } from "../core/error.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import { attempt } from "./attempt.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Catalog, Charge, InferenceRequest, Protocol, Target } from "./ports.ts";
import { relayStream, relayWhole } from "./relay.ts";
import type { Call, RequestScope, ScopePorts } from "./request-scope.ts";
import { route } from "./route.ts";

export interface InferPorts extends ScopePorts {
  readonly catalog: Catalog;
  readonly deadlines: Deadlines;
}

/** What goes back to the caller: the whole body, or its pieces as they come. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | AsyncGenerator<Uint8Array>;
}

/**
 * One inference, from the decoded request to the answer; ARCHITECTURE.md lists its steps. Whatever happens, the request
 * has exactly one row in the journal, durable before the last byte of the answer leaves.
 */
export async function infer(
  ports: InferPorts,
  protocol: Protocol,
  call: Call,
  request: InferenceRequest,
  scope: RequestScope,
): Promise<Result<Answer>> {
  try {
    const blocked = ports.journal.refusal();
    if (blocked !== undefined) return refuse(blocked);
    scope.decoded(request);
    const routed = await route(ports.catalog, call.principal, request);
    if (!routed.ok) return await end(scope, routed.error);
    const { model, candidates } = routed.value;
    const [target] = candidates;
    const charge = ports.prices.chargeFor(model.name, target.provider.name, target.model, call.startedAtMs);
    const unpriced = refuseUnpriced(ports, target, charge, model.name);
    scope.routed(model.name, target, charge);
    if (unpriced !== undefined) return await end(scope, unpriced);
    return await exchange(ports, protocol, call, request, scope, target);
  } catch (thrown) {
    const error = toGatewayError(thrown);
    return await end(scope, error, thrown);
  }
}

/**
 * Types that are no stream, whatever was asked for: a whole answer, or somebody's login page. Any other is believed to
 * be one, since servers are careless with the type of their streams.
 */
const NO_STREAM = /^\s*(?:application\/json|text\/html)\b/i;

async function exchange(
  ports: InferPorts,
  protocol: Protocol,
  call: Call,
  request: InferenceRequest,
  scope: RequestScope,
  target: Target,
): Promise<Result<Answer>> {
  scope.attempting(ports.clock.now());
  const headers = forwardedHeaders(protocol, call.headers);
  const under = await attempt(ports.deadlines, request, target, headers, call.signal);
  const { status, headers: answered } = under.reply;
  scope.answering(status, answered.get("x-request-id") ?? answered.get("request-id"));
  const type = answered.get("content-type") ?? "";
  const streamed = request.stream && status === 200 && !NO_STREAM.test(type);
  const answer = streamed
    ? await relayStream(protocol, call, request, scope, under)
    : await relayWhole(call, request, scope, under);
  return answer.ok ? ok(answer.value) : await end(scope, answer.error);
}

/** Ends a request that has no answer. The refusal waits for its row like an answer would. */
async function end(scope: RequestScope, error: GatewayError, cause?: unknown): Promise<Result<never>> {
  await scope.refused(error, cause);
  return refuse(error);
}

/** A paid provider without a price would be served for nothing, so it is not, unless the configuration says otherwise. */
function refuseUnpriced(
  ports: InferPorts,
  target: Target,
  charge: Charge,
  model: string,
): GatewayError | undefined {
  const { unpriced } = ports.prices;
  if (!target.provider.paid || charge.charged !== undefined || unpriced.kind !== "refuse") return undefined;
  const text = `The model '${model}' has no price yet, and its provider '${target.provider.name}' is a paid one. The operator can set one: parallama price set ${model} --input <USD per million tokens> --output <USD per million tokens>`;
  return gatewayError("model_not_priced", text, { code: "model_not_priced", param: "model" });
}

function forwardedHeaders(protocol: Protocol, headers: Headers): Record<string, string> {
  const forwarded: Record<string, string> = {};
  for (const name of protocol.forwardedHeaders) {
    const value = headers.get(name);
    if (value !== null) forwarded[name] = value;
  }
  return forwarded;
}
