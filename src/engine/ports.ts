/** What the request path needs from the rest of the program. Adapters implement these; only app.ts constructs them. */
import type { GatewayError } from "../core/error.ts";
import type { NanoUsd } from "../core/money.ts";
import type { Price } from "../core/price.ts";
import type { Principal } from "../core/principal.ts";
import type { Result } from "../core/result.ts";
import type { Usage } from "../core/usage.ts";

/** The ways a client can ask for an inference. A provider lists those that it speaks. */
export type ProtocolName =
  | "openai-chat"
  | "openai-completions"
  | "openai-embeddings"
  | "anthropic-messages"
  | "ollama-chat"
  | "ollama-generate"
  | "ollama-embed";

/** The errors of a protocol family look alike, whichever of its routes was called. */
export type ErrorShape = "openai" | "anthropic" | "ollama";

/** A request as a protocol understood it. It keeps the client's own bytes: they are what is relayed. */
export interface InferenceRequest {
  readonly protocol: ProtocolName;
  /** The model's name as the caller wrote it. */
  readonly model: string;
  readonly stream: boolean;
  /** Bytes of the body as received. */
  readonly receivedBytes: number;
  /** Bytes of text that the model will read, for estimates where a provider reports nothing. */
  promptBytes(): number;
  /** Lets the body go: a long stream must not keep its prompt in memory. Only `promptBytes` is answered after this. */
  forgetBody(): void;
  /** The body for a provider that knows the model as `targetModel`: the client's bytes, patched where they must be. */
  bodyFor(targetModel: string): Uint8Array;
  /** Reads the answer as it passes by. One for each attempt. */
  readAnswer(): AnswerReader;
}

/** What an answer turned out to be. */
export interface AnswerFacts {
  readonly usage: Usage | undefined;
  /** The terminal event of the protocol was seen, or the whole body of an answer that is not streamed was understood. */
  readonly complete: boolean;
  /** The provider reported an error inside the answer. */
  readonly error?: GatewayError;
  /** Bytes of generated text that passed, and pieces that carried some. For estimates. */
  readonly textBytes: number;
  readonly textPieces: number;
}

/** Follows one answer: hands its bytes on (nearly always the same bytes) and learns what they say. */
export interface AnswerReader {
  /** A whole answer that was not streamed. */
  whole(bytes: Uint8Array): Uint8Array;
  /** A piece of a streamed answer. What is returned may be empty when an event is still incomplete. */
  piece(bytes: Uint8Array): Uint8Array;
  /** What is left when the stream has ended. */
  rest(): Uint8Array;
  /** The terminal event has been read: what `piece` returned last ends the answer. */
  readonly ended: boolean;
  facts(): AnswerFacts;
}

/** One wire protocol as its clients speak it. */
export interface Protocol {
  readonly name: ProtocolName;
  readonly errorShape: ErrorShape;
  /** Headers of the caller that the provider must see. Lower case. */
  readonly forwardedHeaders: readonly string[];
  decodeRequest(bytes: Uint8Array): Result<InferenceRequest>;
  /** An error inside a stream that has begun: what goes out last. */
  encodeStreamError(error: GatewayError, requestId: string): Uint8Array;
}

/** A model at a provider. */
export interface Target {
  readonly provider: Provider;
  /** The name by which the provider knows the model. */
  readonly model: string;
}

/** A model name that callers use, and who can serve it, best first. */
export interface CatalogModel {
  readonly name: string;
  /** The number by which the registry knows it; absent for what a provider merely lists. */
  readonly id?: number;
  readonly aliases: readonly string[];
  readonly targets: readonly Target[];
  readonly createdAtMs: number;
  /** What the provider's own list says of it (Ollama: size, digest, details). */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Why nobody can serve it although it is known. */
  readonly unavailable?: GatewayError;
}

export interface Catalog {
  /** Finds a model by name or alias; asks providers again when the name is unknown and the last list is old. */
  find(name: string): CatalogModel | undefined | Promise<CatalogModel | undefined>;
  /** Every model that somebody offers, in a stable order. Asks providers again when the last list is old. */
  list(): Promise<readonly CatalogModel[]>;
}

/** An HTTP exchange with a provider, begun. */
export interface ProviderReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  /** Tokens of the prompt, where the provider says so before its answer. */
  readonly promptTokens?: number;
  /** The whole body at once; bounded. */
  bytes(): Promise<Uint8Array>;
}

export interface ProviderRequest {
  readonly protocol: ProtocolName;
  readonly model: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface ProviderTimeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/** A model in a provider's own list. */
export interface ListedModel {
  /** The provider's own name of it. */
  readonly model: string;
  /** The public name, where it differs. */
  readonly name?: string;
  readonly createdAtMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Provider {
  readonly name: string;
  /** Whether its use is billed to us: then a model without a price is refused. */
  readonly paid: boolean;
  /** Each piece of a stream is exactly one token, so counting pieces is counting tokens. */
  readonly tokenPerPiece: boolean;
  readonly timeouts: ProviderTimeouts;
  speaks(protocol: ProtocolName): boolean;
  /** Why it cannot serve a model that was declared for it, if so. Only a provider with a store of its own knows. */
  lacks(model: string): string | undefined;
  /** The model's name in the body that is sent: the provider's own, or what the caller wrote where only that is echoed. */
  nameInBody(model: string, requested: string): string;
  /** Asks what it offers. Empty where there is nothing to ask. Throws `GatewayFailure` when it cannot be asked. */
  listModels(): Promise<readonly ListedModel[]>;
  /** Sends the request. Throws `GatewayFailure` when there is no answer at all. */
  send(request: ProviderRequest): Promise<ProviderReply>;
  /** Turns an answer with an error status into an error that the caller may see. */
  readError(status: number, body: Uint8Array, headers: Headers): GatewayError;
}

export interface Keys {
  /** One digest, one look-up. `secret` is the presented key. */
  authenticate(secret: string): Result<Principal>;
}

/** What a request is charged by. */
export interface Charge {
  /** What the caller pays. */
  readonly charged: Price | undefined;
  /** What the provider charges us. */
  readonly cost: Price | undefined;
}

export type UnpricedRule =
  | { readonly kind: "refuse" }
  | { readonly kind: "free" }
  | { readonly kind: "flat"; readonly costNanoUsd: NanoUsd };

export interface PriceBook {
  chargeFor(publicModel: string, provider: string, providerModel: string, atMs: number): Charge;
  /** What to do with a model of a paid provider that has no price. */
  readonly unpriced: UnpricedRule;
}

/** One try at a provider. */
export interface AttemptRow {
  readonly provider: string;
  readonly providerModel: string;
  readonly providerRequestId: string | null;
  readonly status: number | null;
  readonly error: string | null;
  readonly startedAtMs: number;
  readonly latencyMs: number;
  readonly usage: Usage | undefined;
  readonly costNanoUsd: NanoUsd;
}

/** One request, whatever became of it: what the caller is charged. */
export interface RequestRow {
  readonly id: string;
  readonly startedAtMs: number;
  readonly accountId: number;
  readonly keyId: number;
  readonly protocol: ProtocolName;
  readonly requestedModel: string | null;
  readonly model: string | null;
  readonly stream: boolean;
  readonly status: number;
  readonly error: string | null;
  readonly usage: Usage | undefined;
  readonly priceId: number | null;
  readonly costNanoUsd: NanoUsd;
  readonly latencyMs: number;
  readonly firstByteMs: number | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly attempts: readonly AttemptRow[];
}

export interface Journal {
  /**
   * Resolves when the row is durable. When it cannot be written it is kept and tried again until it is, and the promise
   * resolves after at most two seconds, so that an answer does not hang on a broken disk; `refusal` says so meanwhile.
   */
  append(row: RequestRow): Promise<void>;
  /** Why nothing new may begin, if so. */
  refusal(): GatewayError | undefined;
}

/** Told of each finished request; for logs and metrics. Must not throw. */
export interface RequestObserver {
  finished(row: RequestRow, principal: Principal): void;
  failed(requestId: string, error: GatewayError, cause: unknown): void;
}
