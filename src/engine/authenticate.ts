import { gatewayError } from "../core/error.ts";
import type { Principal } from "../core/principal.ts";
import { type Result, refuse } from "../core/result.ts";
import type { Keys } from "./ports.ts";

const BEARER = /^bearer +(.+)$/i;

/**
 * Who calls. A key comes as `Authorization: Bearer ...` or as `x-api-key`, on every route; the same key in both is fine,
 * two different ones are refused, because nobody could say which account is meant.
 */
export function authenticate(keys: Keys, headers: Headers): Result<Principal> {
  const authorization = headers.get("authorization");
  const apiKey = headers.get("x-api-key");
  const bearer = authorization === null ? null : (BEARER.exec(authorization)?.[1]?.trim() ?? "");
  if (bearer === null && apiKey === null) {
    return refuse(gatewayError("missing_credentials", "API key required"));
  }
  if (bearer !== null && apiKey !== null && bearer !== apiKey) {
    const text =
      "Two different credentials: send the key as 'Authorization: Bearer' or as 'x-api-key', not both.";
    return refuse(gatewayError("ambiguous_credentials", text));
  }
  return keys.authenticate(bearer ?? apiKey ?? "");
}
