import { createAccount } from "./accounts/accounts.ts";
import { createKey } from "./accounts/keys.ts";
import type { Clock } from "./core/clock.ts";
import type { RandomBytes } from "./core/ids.ts";
import { must } from "./operations/operation.ts";
import { importBuiltinPrices } from "./pricing/store-import.ts";
import { DEMO_MODEL } from "./providers/local/local-provider.ts";
import type { Db } from "./storage/database.ts";

/** What the first start in development mode makes and shows once. */
export interface FirstKeys {
  readonly adminKey: string;
  readonly userKey: string;
  readonly username: string;
}

export const ADMIN_HANDLE = "admin";
const FIRST_USER = "me";

/**
 * Fills a new database, in one transaction: the administrators' account, the documented models 1 and 2, the
 * demonstration model, the list of prices. In development mode, while there is no account but the administrators', also
 * an administrator's key and a first user with one. Gives "filled" for a new database without keys, and nothing where
 * nothing was to do.
 */
export async function fillNewDatabase(
  db: Db,
  options: { clock: Clock; random: RandomBytes; withKeys: boolean },
): Promise<FirstKeys | "filled" | undefined> {
  return await db.transaction().execute(async (trx) => {
    const filled = await trx
      .selectFrom("settings")
      .select("value")
      .where("name", "=", "filled")
      .executeTakeFirst();
    const nowMs = options.clock.now();
    if (filled === undefined) await fill(trx, nowMs);
    if (options.withKeys && (await isWithoutUsers(trx))) return await firstKeys(trx, nowMs, options.random);
    return filled === undefined ? "filled" : undefined;
  });
}

async function fill(db: Db, nowMs: number): Promise<void> {
  await seedModels(db, nowMs);
  await seedPrices(db, nowMs);
  const admin = must(await createAccount(db, { handle: ADMIN_HANDLE, name: "Administrators", nowMs }));
  await db
    .insertInto("settings")
    .values({ name: "filled", value: new Date(nowMs).toISOString() })
    .execute();
  await audit(db, nowMs, "database.fill", `account:${admin.id}`);
}

async function isWithoutUsers(db: Db): Promise<boolean> {
  const user = await db
    .selectFrom("accounts")
    .select("id")
    .where("handle", "!=", ADMIN_HANDLE)
    .executeTakeFirst();
  const key = await db.selectFrom("keys").select("id").executeTakeFirst();
  return user === undefined && key === undefined;
}

/** Ids 1 and 2 are documented; whoever allows a key the models [1, 2] means these. */
async function seedModels(db: Db, nowMs: number): Promise<void> {
  const common = { state: "active", origin: "seed", created_at_ms: nowMs } as const;
  const demo = { provider: "local", model: DEMO_MODEL };
  await db
    .insertInto("models")
    .values([
      {
        ...common,
        id: 1,
        name: "gpt2",
        aliases: JSON.stringify(["gpt-2", "GPT-2"]),
        // Until GPT-2's own weights are pulled, the demonstration model (of the same architecture) answers.
        targets: JSON.stringify([{ provider: "local", model: "gpt2.gguf" }, demo]),
      },
      { ...common, id: 2, name: "lawgent-thinking", aliases: "[]", targets: "[]" },
      { ...common, id: 3, name: "parallama-demo", aliases: "[]", targets: JSON.stringify([demo]) },
    ])
    .execute();
}

/** Model 1 costs 0.01 USD per 1,000 tokens, as documented; what providers charge comes from the built-in list. */
async function seedPrices(db: Db, nowMs: number): Promise<void> {
  const tenUsd = 10_000_000_000n;
  await db
    .insertInto("prices")
    .values({
      model: "gpt2",
      provider: null,
      effective_from_ms: 0,
      per_request_nano_usd: 0n,
      input_nano_usd_per_million: tenUsd,
      output_nano_usd_per_million: tenUsd,
      cache_read_nano_usd_per_million: null,
      cache_write_nano_usd_per_million: null,
      reasoning_nano_usd_per_million: null,
      source: "documented price of model 1",
      created_at_ms: nowMs,
    })
    .execute();
  await importBuiltinPrices(db, nowMs);
}

async function firstKeys(db: Db, nowMs: number, random: RandomBytes): Promise<FirstKeys> {
  const { id: adminId } = await db
    .selectFrom("accounts")
    .select("id")
    .where("handle", "=", ADMIN_HANDLE)
    .executeTakeFirstOrThrow();
  const user = must(await createAccount(db, { handle: FIRST_USER, nowMs }));
  const common = { nowMs, name: "made by the first start" };
  const admin = await createKey(db, { ...common, accountId: adminId, prefix: "ak", role: "admin" }, random);
  const own = await createKey(db, { ...common, accountId: user.id, prefix: "pk", role: "user" }, random);
  await audit(db, nowMs, "keys.create", `key:${admin.key.id}`);
  await audit(db, nowMs, "accounts.create", `account:${user.id}`);
  await audit(db, nowMs, "keys.create", `key:${own.key.id}`);
  return { adminKey: admin.secret, userKey: own.secret, username: FIRST_USER };
}

async function audit(db: Db, atMs: number, operation: string, target: string): Promise<void> {
  await db
    .insertInto("audit")
    .values({ at_ms: atMs, actor: "start", operation, target, detail: "{}" })
    .execute();
}
