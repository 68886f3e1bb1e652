import type { Selectable } from "kysely";
import { gatewayError } from "../core/error.ts";
import type { Account } from "../core/principal.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { Db } from "../storage/database.ts";
import type { AccountsTable } from "../storage/schema.ts";

/** Letters, digits and a few signs; never only digits, so that a handle cannot be taken for an id. */
const HANDLE = /^(?!\d+$)[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/;

export interface NewAccount {
  readonly handle: string;
  readonly name?: string | null;
  readonly email?: string | null;
  readonly nowMs: number;
}

export async function createAccount(db: Db, account: NewAccount): Promise<Result<Account>> {
  if (!HANDLE.test(account.handle)) {
    const text = `'${account.handle.slice(0, 64)}' cannot be a user name: 1 to 64 letters, digits or . _ @ + -, beginning with a letter or digit, and not only digits.`;
    return refuse(gatewayError("bad_request", text, { param: "username" }));
  }
  const taken = await db
    .selectFrom("accounts")
    .select("id")
    .where("handle", "=", account.handle)
    .executeTakeFirst();
  if (taken !== undefined) {
    return refuse(gatewayError("conflict", `User '${account.handle}' already exists`));
  }
  const email = account.email ?? null;
  if (email !== null && (await isEmailTaken(db, email))) {
    return refuse(gatewayError("conflict", "Another user has this e-mail address", { param: "email" }));
  }
  const row = await db
    .insertInto("accounts")
    .values({
      handle: account.handle,
      external_id: null,
      email,
      name: account.name ?? null,
      parent_id: null,
      state: "active",
      created_at_ms: account.nowMs,
      closed_at_ms: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return ok(accountOf(row));
}

async function isEmailTaken(db: Db, email: string): Promise<boolean> {
  const taken = await db.selectFrom("accounts").select("id").where("email", "=", email).executeTakeFirst();
  return taken !== undefined;
}

/** Finds an account by its handle, or by its id. */
export async function findAccount(db: Db, reference: string): Promise<Result<Account>> {
  const query = db.selectFrom("accounts").selectAll();
  const row = /^\d{1,15}$/.test(reference)
    ? await query.where("id", "=", Number(reference)).executeTakeFirst()
    : await query.where("handle", "=", reference).executeTakeFirst();
  if (row === undefined)
    return refuse(gatewayError("not_found", `User '${reference.slice(0, 64)}' not found`));
  return ok(accountOf(row));
}

export async function listAccounts(db: Db): Promise<Account[]> {
  const rows = await db.selectFrom("accounts").selectAll().orderBy("id").execute();
  return rows.map(accountOf);
}

/** Closes an account: its keys are revoked, what it used stays on the books. */
export async function closeAccount(db: Db, id: number, nowMs: number): Promise<{ revokedKeys: number }> {
  const revoked = await db
    .updateTable("keys")
    .set({ state: "revoked", revoked_at_ms: nowMs })
    .where("account_id", "=", id)
    .where("state", "!=", "revoked")
    .executeTakeFirst();
  await db
    .updateTable("accounts")
    .set({ state: "closed", closed_at_ms: nowMs })
    .where("id", "=", id)
    .where("state", "=", "active")
    .execute();
  return { revokedKeys: Number(revoked.numUpdatedRows) };
}

function accountOf(row: Selectable<AccountsTable>): Account {
  return {
    id: row.id,
    handle: row.handle,
    name: row.name,
    email: row.email,
    externalId: row.external_id,
    parentId: row.parent_id,
    state: row.state,
    createdAtMs: row.created_at_ms,
  };
}
