import type { Selectable } from "kysely";
import { gatewayError } from "../core/error.ts";
import type { RandomBytes } from "../core/ids.ts";
import type { Key, KeyRole } from "../core/principal.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { Db } from "../storage/database.ts";
import type { KeySecretsTable, KeysTable } from "../storage/schema.ts";
import { hashSecret, type KeyPrefix, newSecret } from "./key-format.ts";

export interface NewKey {
  readonly accountId: number;
  readonly prefix: KeyPrefix;
  readonly role: KeyRole;
  readonly name?: string | null;
  readonly allowedModels?: readonly string[] | null;
  readonly expiresAtMs?: number | null;
  readonly nowMs: number;
}

/** How a key is shown: never its secret, enough of it to be recognised. */
export interface ShownKey extends Key {
  readonly accountHandle: string | null;
  /** The first 16 hex digits of the secret's digest. */
  readonly hash16: string;
  readonly masked: string;
  readonly lastUsedAtMs: number | null;
}

/** Makes a key. The secret is in the answer and nowhere else. */
export async function createKey(
  db: Db,
  key: NewKey,
  random: RandomBytes,
): Promise<{ key: Key; secret: string }> {
  const secret = newSecret(key.prefix, random);
  const row = await db
    .insertInto("keys")
    .values({
      account_id: key.accountId,
      name: key.name ?? null,
      role: key.role,
      state: "active",
      allowed_models: key.allowedModels ? JSON.stringify(key.allowedModels) : null,
      expires_at_ms: key.expiresAtMs ?? null,
      created_at_ms: key.nowMs,
      revoked_at_ms: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await db
    .insertInto("key_secrets")
    .values({
      hash: hashSecret(secret),
      key_id: row.id,
      prefix: key.prefix,
      last4: secret.slice(-4),
      valid_until_ms: null,
      created_at_ms: key.nowMs,
    })
    .execute();
  return { key: keyOf(row), secret };
}

/** Finds a key by its id, by the beginning of its digest (8 to 64 hex digits), or by the key itself. */
export async function findKey(db: Db, reference: string): Promise<Result<Key>> {
  const query = db.selectFrom("keys").selectAll("keys");
  const missing = refuse(gatewayError("not_found", `API key '${maskReference(reference)}' not found`));
  if (/^\d{1,15}$/.test(reference)) {
    const row = await query.where("keys.id", "=", Number(reference)).executeTakeFirst();
    if (row !== undefined) return ok(keyOf(row));
    // One digest in forty begins with eight digits and no letter.
    if (reference.length < 8) return missing;
  }
  const digest = /^[0-9a-f]{8,64}$/.test(reference) ? reference : hashSecret(reference);
  const rows = await query
    .innerJoin("key_secrets", "key_secrets.key_id", "keys.id")
    .where("key_secrets.hash", ">=", digest)
    .where("key_secrets.hash", "<", `${digest}g`)
    .limit(2)
    .execute();
  const [first, second] = rows;
  if (first === undefined) return missing;
  if (second !== undefined && second.id !== first.id) {
    return refuse(gatewayError("conflict", `More than one key begins with '${reference}'`));
  }
  return ok(keyOf(first));
}

export async function listKeys(db: Db, accountId?: number): Promise<ShownKey[]> {
  const rows = await db
    .selectFrom("keys")
    .innerJoin("key_secrets", "key_secrets.key_id", "keys.id")
    .innerJoin("accounts", "accounts.id", "keys.account_id")
    .selectAll("keys")
    .select(["key_secrets.hash", "key_secrets.prefix", "key_secrets.last4", "accounts.handle"])
    .select((eb) =>
      eb
        .selectFrom("requests")
        .select("started_at_ms")
        .whereRef("requests.key_id", "=", "keys.id")
        .orderBy("started_at_ms", "desc")
        .limit(1)
        .as("last_used_at_ms"),
    )
    .$if(accountId !== undefined, (query) => query.where("keys.account_id", "=", accountId ?? 0))
    .orderBy("keys.id")
    .execute();
  return rows.map((row) => ({
    ...keyOf(row),
    accountHandle: row.handle,
    hash16: row.hash.slice(0, 16),
    masked: maskSecret(row),
    lastUsedAtMs: row.last_used_at_ms,
  }));
}

/** Revokes a key, for good. Revoking it again changes nothing. */
export async function revokeKey(db: Db, id: number, nowMs: number): Promise<void> {
  await db
    .updateTable("keys")
    .set({ state: "revoked", revoked_at_ms: nowMs })
    .where("id", "=", id)
    .where("state", "!=", "revoked")
    .execute();
}

export function keyOf(row: Selectable<KeysTable>): Key {
  return {
    id: row.id,
    accountId: row.account_id,
    name: row.name,
    role: row.role,
    state: row.state,
    allowedModels: row.allowed_models === null ? null : JSON.parse(row.allowed_models),
    expiresAtMs: row.expires_at_ms,
    createdAtMs: row.created_at_ms,
    revokedAtMs: row.revoked_at_ms,
  };
}

function maskSecret(secret: Pick<Selectable<KeySecretsTable>, "prefix" | "last4">): string {
  return `${secret.prefix}_…${secret.last4}`;
}

/** A reference may be a whole key: an error message shows its end only. */
function maskReference(reference: string): string {
  return reference.length > 16 ? `…${reference.slice(-4)}` : reference;
}
