import { type GatewayError, gatewayError } from "../../core/error.ts";
import type { Principal } from "../../core/principal.ts";
import { type Result, refuse } from "../../core/result.ts";
import { findOperation } from "../../operations/index.ts";

/** Runs an operation by name for somebody; refreshes what it made stale. */
export type RunOperation = (name: string, input: unknown, actor: string) => Promise<Result<unknown>>;

const MAX_INPUT_BYTES = 64 * 1024 * 1024;

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
  if (Number(request.headers.get("content-length") ?? 0) > MAX_INPUT_BYTES) {
    return refuse(gatewayError("too_large", `The input is larger than ${MAX_INPUT_BYTES} bytes.`));
  }
  let input: unknown;
  try {
    const text = await request.text();
    input = text === "" ? {} : JSON.parse(text);
  } catch {
    return refuse(gatewayError("bad_request", "The input is not valid JSON."));
  }
  return await run(name, input, actor);
}
