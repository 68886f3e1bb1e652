import { type GatewayError, GatewayFailure } from "../core/error.ts";
import { usdText } from "../core/money.ts";
import type { Principal } from "../core/principal.ts";
import type { RequestObserver, RequestRow } from "../engine/ports.ts";
import type { Loggers } from "./logging.ts";

/** An HTTP request that was not an inference, or was refused before anybody was known. */
export interface PlainRequest {
  readonly requestId: string;
  readonly method: string;
  /** The route's pattern, never the path that was sent. */
  readonly route: string;
  readonly status: number;
  readonly latencyMs: number;
  readonly keyId: number | null;
  readonly accountId: number | null;
}

/**
 * Every event that is logged, each with its fields. What is not a parameter here cannot reach a log: no body, no header,
 * no key, no text of a prompt or an answer.
 */
export class Events implements RequestObserver {
  #loggers: Loggers;

  constructor(loggers: Loggers) {
    this.#loggers = loggers;
  }

  use(loggers: Loggers): void {
    this.#loggers = loggers;
  }

  /** `access`: an inference has ended. */
  finished(row: RequestRow, principal: Principal): void {
    const { access, usage } = this.#loggers;
    if (access.enabled) access.info("access", accessFields(row, principal));
    if (usage.enabled) usage.info("usage", usageFields(row));
  }

  /** `request.failed`: an inference ended with an error that an operator may want to know of. */
  failed(requestId: string, error: GatewayError, cause: unknown): void {
    const fields = { requestId, kind: error.kind, providerStatus: error.providerStatus ?? null };
    if (error.kind === "internal")
      this.#loggers.program.error("request.failed", { ...fields, ...causeFields(cause) });
    else if (error.kind.startsWith("provider_"))
      this.#loggers.program.warning("request.failed", { ...fields, ...originOf(cause) });
  }

  /** `access`: any other HTTP request. */
  answered(request: PlainRequest): void {
    this.#loggers.access.info("access", {
      requestId: request.requestId,
      method: request.method,
      route: request.route,
      status: request.status,
      latencyMs: request.latencyMs,
      account: request.accountId,
      key: request.keyId,
    });
  }

  serverStarted(fields: {
    version: string;
    mode: string;
    listen: string[];
    database: string;
    pid: number;
  }): void {
    this.#loggers.program.info("server.started", fields);
  }

  serverStopping(reason: string): void {
    this.#loggers.program.info("server.stopping", { reason });
  }

  serverStopped(unwrittenRows: number): void {
    this.#loggers.program.info("server.stopped", { unwrittenRows });
  }

  warned(text: string): void {
    this.#loggers.program.warning("warning", { text });
  }

  journalFailing(reason: string): void {
    this.#loggers.program.error("journal.failing", { reason });
  }

  journalRecovered(): void {
    this.#loggers.program.warning("journal.recovered", {});
  }

  configurationReloaded(changed: readonly string[], needRestart: readonly string[]): void {
    this.#loggers.program.info("configuration.reloaded", {
      changed: [...changed],
      needRestart: [...needRestart],
    });
  }

  configurationRefused(errors: readonly string[]): void {
    this.#loggers.program.error("configuration.refused", { errors: [...errors] });
  }

  localProcess(fields: Readonly<Record<string, string | number | boolean | null>>): void {
    this.#loggers.program.info("local.process", { ...fields });
  }

  unexpected(where: string, cause: unknown): void {
    this.#loggers.program.error("unexpected", { where, ...causeFields(cause) });
  }
}

function accessFields(row: RequestRow, principal: Principal): Record<string, unknown> {
  return {
    requestId: row.id,
    method: "POST",
    route: row.protocol,
    status: row.status,
    latencyMs: row.latencyMs,
    account: row.accountId,
    key: principal.keyId,
    model: row.model,
    error: row.error,
    bytes: row.responseBytes,
  };
}

function usageFields(row: RequestRow): Record<string, unknown> {
  return {
    requestId: row.id,
    account: row.accountId,
    key: row.keyId,
    model: row.model,
    provider: row.attempts.at(-1)?.provider ?? null,
    ...row.usage?.tokens,
    source: row.usage?.source ?? null,
    costUsd: usdText(row.costNanoUsd),
    status: row.status,
  };
}

/** What lies under an error of a provider: enough to tell an unknown name from a refused connection or a certificate. */
function originOf(thrown: unknown): Record<string, string | null> {
  const origin = thrown instanceof GatewayFailure ? thrown.cause : thrown;
  if (origin === undefined) return { cause: null, code: null };
  const { cause, code } = causeFields(origin);
  return { cause: cause ?? null, code: code ?? null };
}

/**
 * What may be said of an exception: its name, its code and where it happened. Not its message, which may quote what it
 * choked on: a piece of a body, a key.
 */
function causeFields(cause: unknown): Record<string, string | null> {
  if (!(cause instanceof Error)) return { cause: typeof cause };
  const code = "code" in cause ? String(cause.code) : null;
  const frames = (cause.stack ?? "").split("\n").filter((line) => /^\s*at /.test(line));
  return { cause: cause.name, code, stack: frames.slice(0, 12).join("\n") };
}
