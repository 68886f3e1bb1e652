import { type GatewayError, gatewayError } from "../../core/error.ts";
import type { Principal } from "../../core/principal.ts";
import { type Result, refuse } from "../../core/result.ts";
import { findOperation } from "../../operations/index.ts";
import { HeldBodies, readJsonBody } from "./read-body.ts";

/** Runs an operation by name for somebody; refreshes what it made stale. */
export type RunOperation = (name: string, input: unknown, actor: string) => Promise<Result<unknown>>;

/** A list of prices is the largest input. */
const INPUTS = new HeldBodies({ maxBytes: 64 * 1024 * 1024, maxHeldBytes: 128 * 1024 * 1024 });

/** Why a caller may not administrate, if so. */
export function refuseAdministration(principal: Principal): GatewayError | undefined {
  if (principal.role === "admin") return undefined;
  return gatewayError("permission_denied", "This needs an administrator's key.");
}

/** `POST /admin/v1/operations/{name}`: the operation's input as JSON in, its output out. */
export async function operationRoute(
  run: RunOperation,
  name: string,
  request: Request,
  actor: string,
): Promise<Result<unknown>> {
  if (findOperation(name) === undefined) {
    return refuse(gatewayError("not_found", `There is no operation '${name.slice(0, 64)}'.`));
  }
  const input = await readJsonBody(request, INPUTS);
  return input.ok ? await run(name, input.value, actor) : input;
}
