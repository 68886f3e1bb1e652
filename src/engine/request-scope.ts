import type { Clock } from "../core/clock.ts";
import { type GatewayError, httpStatusOf } from "../core/error.ts";
import type { Principal } from "../core/principal.ts";
import type { Usage } from "../core/usage.ts";
import { costsOf } from "./meter.ts";
import type {
  AttemptRow,
  Charge,
  InferenceRequest,
  Journal,
  PriceBook,
  ProtocolName,
  RequestObserver,
  RequestRow,
  Target,
} from "./ports.ts";

/** What a request needs so that it is written down. */
export interface ScopePorts {
  readonly prices: PriceBook;
  readonly journal: Journal;
  readonly observer: RequestObserver;
  readonly clock: Clock;
}

/** A request that has been authenticated and has begun. */
export interface Call {
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly principal: Principal;
  readonly protocol: ProtocolName;
  readonly signal: AbortSignal;
  /** The caller's headers. */
  readonly headers: Headers;
  /** Told when the last byte of the answer has left, or will never leave. */
  readonly ended: () => void;
}

const NO_CHARGE: Charge = { charged: undefined, cost: undefined };

/**
 * The one owner of a request's row: whatever way a request ends, it ends through `finish`, once. Later calls change
 * nothing.
 */
export class RequestScope {
  readonly #ports: ScopePorts;
  readonly #call: Call;
  #request: InferenceRequest | undefined;
  #receivedBytes = 0;
  #model: string | null = null;
  #target: Target | undefined;
  #charge: Charge = NO_CHARGE;
  #providerRequestId: string | null = null;
  #providerStatus: number | null = null;
  #attemptStartedAtMs: number | undefined;
  #firstByteAtMs: number | undefined;
  #responseBytes = 0;
  #finished: Promise<void> | undefined;

  constructor(ports: ScopePorts, call: Call) {
    this.#ports = ports;
    this.#call = call;
  }

  get finished(): boolean {
    return this.#finished !== undefined;
  }

  received(bytes: number): void {
    this.#receivedBytes = bytes;
  }

  decoded(request: InferenceRequest): void {
    this.#request = request;
  }

  routed(model: string, target: Target, charge: Charge): void {
    this.#model = model;
    this.#target = target;
    this.#charge = charge;
  }

  attempting(atMs: number): void {
    this.#attemptStartedAtMs = atMs;
  }

  answering(status: number, providerRequestId: string | null): void {
    this.#providerStatus = status;
    this.#providerRequestId = providerRequestId;
  }

  delivered(bytes: number): void {
    this.#firstByteAtMs ??= this.#ports.clock.now();
    this.#responseBytes += bytes;
  }

  /** Ends the request; resolves when its row is durable. `usage`: what is charged, absent where nothing was produced. */
  finish(status: number, usage: Usage | undefined, error?: GatewayError, cause?: unknown): Promise<void> {
    this.#finished ??= this.#write(status, usage, error, cause);
    return this.#finished;
  }

  /** Ends the request with an error before any of its answer has left. */
  refused(error: GatewayError, cause?: unknown): Promise<void> {
    return this.finish(httpStatusOf(error), undefined, error, cause);
  }

  async #write(
    status: number,
    usage: Usage | undefined,
    error: GatewayError | undefined,
    cause: unknown,
  ): Promise<void> {
    const row = this.#row(status, usage, error);
    if (error !== undefined) this.#ports.observer.failed(row.id, error, cause);
    await this.#ports.journal.append(row);
    this.#ports.observer.finished(row, this.#call.principal);
  }

  #row(status: number, usage: Usage | undefined, error: GatewayError | undefined): RequestRow {
    const nowMs = this.#ports.clock.now();
    const { startedAtMs, principal, protocol, requestId } = this.#call;
    const target = this.#target;
    const costs =
      usage === undefined || target === undefined
        ? { chargedNanoUsd: 0n, costNanoUsd: 0n }
        : costsOf(this.#ports.prices, this.#charge, target, usage, startedAtMs);
    const attempts: AttemptRow[] = [];
    if (target !== undefined && this.#attemptStartedAtMs !== undefined) {
      attempts.push({
        provider: target.provider.name,
        providerModel: target.model,
        providerRequestId: this.#providerRequestId,
        status: this.#providerStatus,
        error: error?.kind ?? null,
        startedAtMs: this.#attemptStartedAtMs,
        latencyMs: nowMs - this.#attemptStartedAtMs,
        usage,
        costNanoUsd: costs.costNanoUsd,
      });
    }
    return {
      id: requestId,
      startedAtMs,
      accountId: principal.accountId,
      keyId: principal.keyId,
      protocol,
      requestedModel: this.#request?.model ?? null,
      model: this.#model,
      stream: this.#request?.stream ?? false,
      status,
      error: error?.kind ?? null,
      usage,
      priceId: usage === undefined ? null : (this.#charge.charged?.id ?? null),
      costNanoUsd: costs.chargedNanoUsd,
      latencyMs: nowMs - startedAtMs,
      firstByteMs: this.#firstByteAtMs === undefined ? null : this.#firstByteAtMs - startedAtMs,
      requestBytes: this.#request?.receivedBytes ?? this.#receivedBytes,
      responseBytes: this.#responseBytes,
      attempts,
    };
  }
}
