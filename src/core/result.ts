import type { GatewayError } from "./error.ts";

/** What a deciding function returns: its value, or the refusal. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: GatewayError };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refuse(error: GatewayError): { readonly ok: false; readonly error: GatewayError } {
  return { ok: false, error };
}
