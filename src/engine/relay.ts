import { type GatewayError, GatewayFailure, gatewayError, httpStatusOf } from "../core/error.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { Usage } from "../core/usage.ts";
import { type Attempt, clientClosed } from "./attempt.ts";
import type { Answer } from "./infer.ts";
import { usageOf } from "./meter.ts";
import type { AnswerFacts, AnswerReader, InferenceRequest, Protocol } from "./ports.ts";
import type { Call, RequestScope } from "./request-scope.ts";

/** Headers of a provider's answer that say something to the caller. All others are about us, or about the connection. */
const RELAYED_HEADERS = ["content-type", "openai-processing-ms", "openai-version"] as const;

/** Statuses by which a provider says that the caller's request is wrong: its own words are the best answer. */
const ABOUT_THE_REQUEST: ReadonlySet<number> = new Set([400, 404, 409, 413, 415, 422]);

/** An answer that is not streamed: read whole, settled, handed on. */
export async function relayWhole(
  call: Call,
  request: InferenceRequest,
  scope: RequestScope,
  under: Attempt,
): Promise<Result<Answer>> {
  const { reply, target } = under;
  let bytes: Uint8Array;
  under.readingWhole();
  try {
    bytes = await reply.bytes();
  } catch (thrown) {
    under.cancel();
    return refuse(thrown instanceof GatewayFailure ? thrown.error : whyCut(call, under));
  } finally {
    under.done();
  }
  if (reply.status !== 200) return relayError(scope, under, bytes);
  const reader = request.readAnswer();
  const body = reader.whole(bytes);
  const facts = reader.facts();
  if (facts.error !== undefined) return refuse(facts.error);
  if (!facts.complete) return refuse(brokenAnswer());
  scope.delivered(body.length);
  await scope.finish(200, usageOf(request, target, facts));
  return ok({ status: 200, headers: relayedHeaders(reply.headers), body });
}

async function relayError(scope: RequestScope, under: Attempt, bytes: Uint8Array): Promise<Result<Answer>> {
  const { status, headers } = under.reply;
  const error = under.target.provider.readError(status, bytes, headers);
  const type = headers.get("content-type") ?? "";
  // `readError` says by another status that it is not about the request after all.
  const about = ABOUT_THE_REQUEST.has(status) && error.providerStatus === status;
  if (!about || !type.startsWith("application/json")) return refuse(error);
  scope.delivered(bytes.length);
  await scope.finish(status, undefined, error);
  return ok({ status, headers: relayedHeaders(headers), body: bytes });
}

/**
 * A streamed answer. Nothing is promised to the caller before the first piece has come, so a provider that fails until
 * then is an error with a status. The piece that ends the answer waits for the settlement.
 */
export async function relayStream(
  protocol: Protocol,
  call: Call,
  request: InferenceRequest,
  scope: RequestScope,
  under: Attempt,
): Promise<Result<Answer>> {
  const source = under.reply.body?.getReader();
  const reader = request.readAnswer();
  let piece: Uint8Array | undefined;
  try {
    piece = source && (await firstPiece(source, reader, under));
  } catch {
    giveUp(under);
    return refuse(whyCut(call, under));
  }
  if (source === undefined || piece === undefined) {
    giveUp(under);
    return refuse(brokenAnswer());
  }
  if (call.signal.aborted) {
    giveUp(under);
    return refuse(clientClosed());
  }
  const { error, textPieces } = reader.facts();
  if (error !== undefined && textPieces === 0) {
    // Nothing has been said yet: an error with a status is worth more to a client than one inside a 200.
    giveUp(under);
    return refuse(error);
  }
  request.forgetBody();
  const stream: Stream = { protocol, call, request, scope, under, reader, begun: false };
  // A caller that leaves before its answer is pulled for the first time leaves nobody to run the generator's end.
  call.signal.addEventListener("abort", () => void (stream.begun || leaveStream(stream)), { once: true });
  // One that stops reading holds the generator up; the provider, and the place among the requests, are given back.
  under.whenStalled(() => void leaveStream(stream));
  const body = pieces(stream, source, piece);
  const headers = relayedHeaders(under.reply.headers);
  return ok({ status: 200, headers: { ...headers, "cache-control": "no-cache" }, body });
}

function giveUp(under: Attempt): void {
  under.done();
  under.cancel();
}

/** The first bytes that hold a whole event; undefined when the stream ends before one. */
async function firstPiece(
  source: ReadableStreamDefaultReader<Uint8Array>,
  reader: AnswerReader,
  under: Attempt,
): Promise<Uint8Array | undefined> {
  for (;;) {
    const received = (await source.read()).value;
    if (received === undefined) {
      // A last event may lack its delimiter.
      const rest = reader.rest();
      return rest.length > 0 ? rest : undefined;
    }
    under.alive();
    const piece = reader.piece(received);
    if (piece.length > 0 || reader.ended) return piece;
  }
}

interface Stream {
  readonly protocol: Protocol;
  readonly call: Call;
  readonly request: InferenceRequest;
  readonly scope: RequestScope;
  readonly under: Attempt;
  readonly reader: AnswerReader;
  /** The caller has begun to take the answer. */
  begun: boolean;
}

async function* pieces(
  stream: Stream,
  source: ReadableStreamDefaultReader<Uint8Array>,
  first: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const { reader, scope, under } = stream;
  stream.begun = true;
  try {
    let piece: Uint8Array | undefined = first;
    while (piece !== undefined) {
      // Counted before the settlement, which writes the count down.
      if (piece.length > 0) scope.delivered(piece.length);
      if (reader.ended) {
        await settle(stream);
        under.handing();
        if (piece.length > 0) yield piece;
        await readToEnd(source, under);
        return;
      }
      if (piece.length > 0) {
        under.handing();
        yield piece;
        under.alive();
      }
      const received: Uint8Array | undefined = (await source.read()).value;
      under.alive();
      piece = received === undefined ? undefined : reader.piece(received);
    }
    const rest = reader.rest();
    if (rest.length > 0) scope.delivered(rest.length);
    const broken = await finishStream(stream);
    // What is left of a broken answer is half an event: the caller's parser would take the error for its other half.
    const last = broken ?? rest;
    under.handing();
    if (last.length > 0) yield last;
  } catch (thrown) {
    const last = await failStream(stream, thrown);
    // No time-out watches any more, and a caller that never takes this would hold its place for ever.
    stream.call.ended();
    if (last !== undefined) yield last;
  } finally {
    await leaveStream(stream);
  }
}

/** What comes after the last event is nobody's, but a connection that is read to its end can be used again. */
async function readToEnd(source: ReadableStreamDefaultReader<Uint8Array>, under: Attempt): Promise<void> {
  under.ending();
  while (!(await source.read()).done);
}

/** Writes down a complete answer. */
function settle(stream: Stream): Promise<void> {
  const facts = stream.reader.facts();
  return stream.scope.finish(facts.error === undefined ? 200 : 502, usageSoFar(stream, facts), facts.error);
}

/** What the answer has used, by what has passed of it. */
function usageSoFar({ request, under }: Stream, facts: AnswerFacts): Usage {
  return usageOf(request, under.target, facts, under.reply.promptTokens);
}

/** The provider closed the stream. If it had not ended its answer, the caller is told. */
async function finishStream(stream: Stream): Promise<Uint8Array | undefined> {
  if (stream.scope.finished) return undefined;
  const facts = stream.reader.facts();
  if (facts.error !== undefined || facts.complete) {
    await settle(stream);
    return undefined;
  }
  return broken(stream, brokenAnswer());
}

async function failStream(stream: Stream, thrown: unknown): Promise<Uint8Array | undefined> {
  if (stream.reader.ended) return undefined; // the answer was complete; what came after it does not matter
  return broken(stream, whyCut(stream.call, stream.under), thrown);
}

/** Ends a stream that the caller believes in progress: what was delivered is charged, and an error event goes out. */
async function broken(stream: Stream, error: GatewayError, cause?: unknown): Promise<Uint8Array> {
  const { call, protocol, scope, reader } = stream;
  const status = httpStatusOf(error);
  const event = protocol.encodeStreamError(error, call.requestId);
  scope.delivered(event.length);
  const facts = reader.facts();
  // A provider that fails before it has said anything is owed what it reported itself, and nothing by estimate.
  const owesNothing = error.kind !== "client_closed" && facts.textPieces === 0;
  const usage = owesNothing ? facts.usage : usageSoFar(stream, facts);
  await scope.finish(status, usage, error, cause);
  return event;
}

/** Every way out comes through here. If nothing has settled yet, the caller has gone. */
async function leaveStream(stream: Stream): Promise<void> {
  const { call, scope, under, reader } = stream;
  giveUp(under);
  if (!scope.finished) await scope.finish(499, usageSoFar(stream, reader.facts()), clientClosed());
  call.ended();
}

function whyCut(call: Call, under: Attempt): GatewayError {
  if (call.signal.aborted) return clientClosed();
  return (
    under.timedOut() ?? gatewayError("provider_broken", "The provider broke off in the middle of its answer.")
  );
}

function brokenAnswer(): GatewayError {
  return gatewayError("provider_broken", "The provider's answer could not be understood or was cut short.");
}

function relayedHeaders(headers: Headers): Record<string, string> {
  const relayed: Record<string, string> = {};
  for (const name of RELAYED_HEADERS) {
    const value = headers.get(name);
    if (value !== null) relayed[name] = value;
  }
  return relayed;
}
