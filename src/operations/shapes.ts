import { z } from "zod";
import type { ShownKey } from "../accounts/keys.ts";
import type { Account, Key } from "../core/principal.ts";

/** Times leave the program as ISO 8601 in UTC. */
export const time = z.iso.datetime().describe("UTC, ISO 8601");

export const accountShape = z.object({
  id: z.number(),
  username: z.string().nullable(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  state: z.enum(["active", "closed"]),
  createdAt: time,
});

export const keyShape = z.object({
  id: z.number(),
  accountId: z.number(),
  name: z.string().nullable(),
  role: z.enum(["user", "admin"]),
  state: z.enum(["active", "inactive", "revoked", "expired"]),
  allowedModels: z.array(z.string()).nullable(),
  createdAt: time,
  expiresAt: time.nullable(),
});

export const shownKeyShape = keyShape.extend({
  masked: z.string(),
  username: z.string().nullable(),
  hash16: z.string(),
  lastUsedAt: time.nullable(),
});

export const username = z.string().min(1).describe("The account's user name, or its id");

export function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

export function showAccount(account: Account): z.output<typeof accountShape> {
  return {
    id: account.id,
    username: account.handle,
    name: account.name,
    email: account.email,
    state: account.state,
    createdAt: timeOf(account.createdAtMs),
  };
}

export function showKey(key: Key, nowMs: number): z.output<typeof keyShape> {
  const expired = key.state === "active" && key.expiresAtMs !== null && key.expiresAtMs <= nowMs;
  return {
    id: key.id,
    accountId: key.accountId,
    name: key.name,
    role: key.role,
    state: expired ? "expired" : key.state,
    allowedModels: key.allowedModels === null ? null : [...key.allowedModels],
    createdAt: timeOf(key.createdAtMs),
    expiresAt: key.expiresAtMs === null ? null : timeOf(key.expiresAtMs),
  };
}

export function showShownKey(key: ShownKey, nowMs: number): z.output<typeof shownKeyShape> {
  return {
    ...showKey(key, nowMs),
    masked: key.masked,
    username: key.accountHandle,
    hash16: key.hash16,
    lastUsedAt: key.lastUsedAtMs === null ? null : timeOf(key.lastUsedAtMs),
  };
}
