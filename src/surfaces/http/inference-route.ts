import { type GatewayError, gatewayError, toGatewayError } from "../../core/error.ts";
import type { Result } from "../../core/result.ts";
import { authenticate } from "../../engine/authenticate.ts";
import { type Answer, type InferPorts, infer } from "../../engine/infer.ts";
import type { Keys, Protocol } from "../../engine/ports.ts";
import { type Call, RequestScope } from "../../engine/request-scope.ts";
import type { PlainRequest } from "../../telemetry/events.ts";
import { errorResponse, requestIdHeaders } from "./error-response.ts";
import { type HeldBodies, readBody } from "./read-body.ts";

/** What an inference route needs of the application. */
export interface InferencePorts extends InferPorts {
  readonly keys: Keys;
  readonly bodies: HeldBodies;
  readonly newRequestId: () => string;
  readonly maxConcurrentRequests: number;
  /** Requests in progress; shared by all routes. */
  readonly inProgress: Set<RequestScope>;
  readonly answered: (request: PlainRequest) => void;
  readonly unexpected: (where: string, cause: unknown) => void;
  /** Set once the process is shutting down. */
  readonly draining: () => boolean;
}

/** Told when a caller begins to wait for its provider and when that is over: a silent connection is closed otherwise. */
export type Waits = (isWaiting: boolean) => void;

/** Handles one request of a protocol. The list of steps is in ARCHITECTURE.md. */
export function inferenceRoute(
  ports: InferencePorts,
  protocol: Protocol,
  path: string,
): (request: Request, waits: Waits) => Promise<Response> {
  return async (request, waits) => {
    const requestId = ports.newRequestId();
    const startedAtMs = ports.clock.now();
    const known = authenticate(ports.keys, request.headers);
    if (!known.ok) {
      const response = errorResponse(protocol.errorShape, known.error, requestId);
      const latencyMs = ports.clock.now() - startedAtMs;
      const { status } = response;
      ports.answered({
        requestId,
        method: "POST",
        route: path,
        status,
        latencyMs,
        keyId: null,
        accountId: null,
      });
      return response;
    }
    const call: Call = {
      requestId,
      startedAtMs,
      principal: known.value,
      protocol: protocol.name,
      signal: request.signal,
      headers: request.headers,
      ended() {
        ports.inProgress.delete(scope);
        waits(false);
      },
    };
    const scope = new RequestScope(ports, call);
    const refused = refuseEarly(ports);
    const answer =
      refused === undefined ? await answerTo(ports, protocol, call, scope, request, waits) : undefined;
    if (answer?.ok) return respond(protocol, requestId, answer.value);
    const error = refused ?? answer?.error ?? gatewayError("internal", "Internal server error");
    // A journal that cannot write cannot take this row either: the refusal does not wait for it.
    if (ports.journal.refusal() === undefined) await scope.refused(error);
    return errorResponse(protocol.errorShape, error, requestId);
  };
}

async function answerTo(
  ports: InferencePorts,
  protocol: Protocol,
  call: Call,
  scope: RequestScope,
  request: Request,
  waits: Waits,
): Promise<Result<Answer>> {
  ports.inProgress.add(scope);
  let answer: Result<Answer> | undefined;
  try {
    const body = await readBody(request, ports.bodies);
    if (!body.ok) return body;
    // From here on the caller waits for the provider, whose own time-outs hold.
    waits(true);
    try {
      scope.received(body.value.bytes.length);
      const decoded = protocol.decodeRequest(body.value.bytes);
      answer = decoded.ok ? await infer(ports, protocol, call, decoded.value, scope) : decoded;
      return answer;
    } finally {
      body.value.release();
    }
  } catch (thrown) {
    ports.unexpected("inference", thrown);
    return { ok: false, error: toGatewayError(thrown) };
  } finally {
    // A streamed answer is still in progress; its body takes the scope out when it ends.
    if (!(answer?.ok && !(answer.value.body instanceof Uint8Array))) call.ended();
  }
}

function respond(protocol: Protocol, requestId: string, answer: Answer): Response {
  const headers = { ...answer.headers, ...requestIdHeaders(protocol.errorShape, requestId) };
  const { status, body } = answer;
  if (body instanceof Uint8Array) return new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
  return new Response(body as unknown as ReadableStream, { status, headers });
}

function refuseEarly(ports: InferencePorts): GatewayError | undefined {
  if (ports.draining()) {
    return gatewayError("draining", "The gateway is shutting down; try again in a moment.", {
      retryAfterMs: 2_000,
    });
  }
  if (ports.inProgress.size >= ports.maxConcurrentRequests) {
    return gatewayError("overloaded", "The gateway has as many requests in progress as it may.", {
      retryAfterMs: 1_000,
    });
  }
  return undefined;
}
