/**
 * Why a pull did not end with a model. A closed set; a person reads the message, a program the kind.
 *
 * - `bad_reference` the text (or an option) names nothing that could be pulled
 * - `not_found` no such repository, revision, file or quantisation
 * - `gated` the hub wants a token, or the token's account has no access
 * - `rate_limited` the server asked for a longer pause than a pull should wait
 * - `unreachable` the network or server failed until the retries ran out; a partial file is kept
 * - `bad_answer` the server answered, but not with what its protocol says
 * - `redirect_refused` too many redirects, or one to an unsafe address
 * - `checksum` the content is not what was announced; the partial file is deleted
 * - `not_gguf` the content is not a GGUF model; the partial file is deleted
 * - `disk_full`, `disk_error` the models directory cannot take the file
 * - `in_progress` another pull of the same model is running
 * - `name_taken` another model already has this name
 * - `cancelled` the caller's signal fired; a partial file is kept
 */
export type PullErrorKind =
  | "bad_reference"
  | "not_found"
  | "gated"
  | "rate_limited"
  | "unreachable"
  | "bad_answer"
  | "redirect_refused"
  | "checksum"
  | "not_gguf"
  | "disk_full"
  | "disk_error"
  | "in_progress"
  | "name_taken"
  | "cancelled";

export type PullError = { kind: PullErrorKind; message: string };

/** Carries a `PullError` up to `pullModel`, which returns it as a value. Never leaves this folder. */
export class PullStop extends Error {
  override readonly name = "PullStop";
  constructor(
    readonly kind: PullErrorKind,
    message: string,
  ) {
    super(message);
  }
}

/** A failure worth another attempt. `retryAfterMs` is the server's own wish, when it stated one. */
export class TransientFailure extends Error {
  override readonly name = "TransientFailure";
  constructor(
    readonly kind: "unreachable" | "rate_limited",
    message: string,
    readonly retryAfterMs: number | undefined = undefined,
  ) {
    super(message);
  }
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}

export function cancelled(): PullStop {
  return new PullStop("cancelled", "The pull was cancelled. Run it again to continue where it stopped.");
}

/** The `code` of a Node system error ("ENOSPC", "ENOENT" ...), if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * Turns anything thrown during a pull into a `PullError`. System errors keep only their code: their own
 * message could repeat an address with a signature in it. `undefined` means a bug, to be thrown on.
 */
export function toPullError(error: unknown, directory: string): PullError | undefined {
  if (error instanceof PullStop || error instanceof TransientFailure) {
    return { kind: error.kind, message: error.message };
  }
  const code = systemErrorCode(error);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return {
      kind: "disk_full",
      message: `The disk of ${directory} is full. Free some space and run the pull again; it continues where it stopped.`,
    };
  }
  if (code !== undefined && /^E[A-Z0-9]+$/.test(code)) {
    return { kind: "disk_error", message: `Cannot write to ${directory} (${code}). Check its permissions.` };
  }
  return undefined;
}
