import type { z } from "zod";
import type { Clock } from "../core/clock.ts";
import { type GatewayError, GatewayFailure, gatewayError } from "../core/error.ts";
import type { RandomBytes } from "../core/ids.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { Db } from "../storage/database.ts";

/** What a changing operation makes stale in the running server. */
export type Stale = "keys" | "models" | "prices";

/** What an operation may use. */
export interface OperationContext {
  readonly db: Db;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Facts about the running program that are not in the database. */
  readonly program: ProgramFacts;
}

export interface ProgramFacts {
  readonly databasePath: string;
  /** The merged configuration, secrets redacted. */
  configuration(): Readonly<Record<string, unknown>>;
  /** Every model that is known, with who serves it. */
  models(): Promise<readonly ModelFacts[]>;
  /** The canonical public name of a model, for storing. */
  canonicalModel(name: string): string;
  /** Whether a name or alias means a model that is known now. */
  knowsModel(name: string): boolean;
  /** Names of all providers that are configured. */
  providers(): readonly string[];
}

export interface ModelFacts {
  readonly id: number | null;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly targets: readonly { readonly provider: string; readonly model: string }[];
  /** Why it cannot be called now; null: it can. */
  readonly unavailable: string | null;
}

/** What an operation did, for its caller and for the audit. Secrets are never in `target` or `detail`. */
export interface Outcome<Output> {
  readonly output: Output;
  readonly target?: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** One administrative act, declared once: HTTP route, command, documentation and audit come from this. */
export interface Operation<
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
  Name extends string = string,
> {
  /** Noun and verb: `accounts.create`. */
  readonly name: Name;
  readonly summary: string;
  /** A changing operation runs in a transaction and leaves an audit row. */
  readonly changes: boolean;
  readonly stale: readonly Stale[];
  readonly input: Input;
  readonly output: Output;
  run(context: OperationContext, input: z.output<Input>): Promise<Outcome<z.output<Output>>>;
}

export function defineOperation<Input extends z.ZodType, Output extends z.ZodType, const Name extends string>(
  operation: Operation<Input, Output, Name>,
): Operation<Input, Output, Name> {
  return operation;
}

/** Unwraps a decision inside an operation: a refusal ends the operation with it, and its transaction with nothing. */
export function must<T>(result: Result<T>): T {
  if (!result.ok) throw new GatewayFailure(result.error);
  return result.value;
}

/** Runs an operation by whom it was asked for. Refusals are values; what it changed and its audit row are one commit. */
export async function runOperation(
  context: OperationContext,
  operation: Operation,
  rawInput: unknown,
  actor: string,
): Promise<Result<unknown>> {
  const parsed = operation.input.safeParse(rawInput ?? {});
  if (!parsed.success) return refuse(inputError(parsed.error));
  try {
    const outcome = operation.changes
      ? await context.db
          .transaction()
          .execute((db) => change({ ...context, db }, operation, parsed.data, actor))
      : await operation.run(context, parsed.data);
    return ok(outcome.output);
  } catch (thrown) {
    if (thrown instanceof GatewayFailure) return refuse(thrown.error);
    throw thrown;
  }
}

async function change(context: OperationContext, operation: Operation, input: unknown, actor: string) {
  const outcome = await operation.run(context, input);
  await context.db
    .insertInto("audit")
    .values({
      at_ms: context.clock.now(),
      actor,
      operation: operation.name,
      target: outcome.target ?? "",
      detail: JSON.stringify(outcome.detail ?? {}),
    })
    .execute();
  return outcome;
}

/** All that is wrong with an input, in one sentence each. */
function inputError(error: z.ZodError): GatewayError {
  const parts = error.issues.map((issue) => {
    const path = issue.path.join(".");
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  const param = error.issues[0]?.path.join(".");
  return gatewayError("bad_request", parts.join("; "), param ? { param } : undefined);
}
