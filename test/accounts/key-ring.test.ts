import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createAccount } from "../../src/accounts/accounts.ts";
import { KeyRing } from "../../src/accounts/key-ring.ts";
import { createKey, type NewKey } from "../../src/accounts/keys.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { canonicalModelName } from "../../src/core/model-name.ts";
import type { Principal } from "../../src/core/principal.ts";
import { type TempDatabase, tempDatabase } from "../support/temp-database.ts";

const REFUSED = { ok: false, error: { kind: "invalid_credentials", message: "Invalid API key" } } as const;

let database: TempDatabase;
let nowMs: number;
let ring: KeyRing;
beforeEach(async () => {
  database = await tempDatabase();
  nowMs = 1_000;
  ring = new KeyRing({ now: () => nowMs, monotonicMs: () => 0 }, (model) =>
    model === "alias" ? "model" : canonicalModelName(model),
  );
  await createAccount(database.db, { handle: "ann", nowMs });
});
afterEach(() => database[Symbol.asyncDispose]());

async function key(more: Partial<NewKey> = {}): Promise<string> {
  const { secret } = await createKey(
    database.db,
    { accountId: 1, prefix: "pk", role: "user", nowMs, ...more },
    systemRandom,
  );
  await ring.reload(database.db);
  return secret;
}

/** Changes the database as an administrator would, and has the ring read it again. */
async function change(statement: string): Promise<void> {
  database.other.run(statement);
  await ring.reload(database.db);
}

test("a good key stands for its account, its role and its models", async () => {
  const secret = await key({ role: "admin", allowedModels: ["alias", "llama2:latest", "unknown"] });
  const principal: Principal = {
    accountId: 1,
    accountHandle: "ann",
    keyId: 1,
    role: "admin",
    allowedModels: new Set(["model", "llama2", "unknown"]),
  };
  expect(ring.authenticate(secret)).toEqual({ ok: true, value: principal });
});

test.each([null, []])("allowed models %j: every model", async (allowedModels) => {
  const secret = await key({ allowedModels });
  expect(ring.authenticate(secret)).toMatchObject({ ok: true, value: { allowedModels: null } });
});

describe("one answer for all that is not a good key", () => {
  test.each([
    ["inactive", "update keys set state = 'inactive'"],
    ["revoked", "update keys set state = 'revoked'"],
    ["of a closed account", "update accounts set state = 'closed'"],
    ["expired", "update keys set expires_at_ms = 1000"],
    ["rotated out", "update key_secrets set valid_until_ms = 1000"],
    ["gone", "delete from key_secrets"],
  ])("%s", async (_, statement) => {
    const secret = await key();
    expect(ring.authenticate(secret).ok).toBe(true);
    await change(statement);
    expect(ring.authenticate(secret)).toEqual(REFUSED);
  });

  test("mistyped, empty, endless, or nobody's", async () => {
    const secret = await key();
    const mistyped = `${secret.slice(0, -1)}${secret.endsWith("0") ? "1" : "0"}`;
    for (const presented of [
      mistyped,
      "",
      ` ${secret}`,
      secret.toUpperCase(),
      "x".repeat(1_000_000),
      "sk-other",
    ]) {
      expect(ring.authenticate(presented)).toEqual(REFUSED);
    }
  });
});

test("a key expires by itself, at the very moment", async () => {
  const secret = await key({ expiresAtMs: 2_000 });
  nowMs = 1_999;
  expect(ring.authenticate(secret).ok).toBe(true);
  nowMs = 2_000;
  expect(ring.authenticate(secret)).toEqual(REFUSED);
});

test("while a key is rotated both secrets are good, the old one until its time is over", async () => {
  const old = await key();
  const fresh = await key(); // becomes a second secret of the first key
  await change("update key_secrets set valid_until_ms = case key_id when 1 then 2000 end, key_id = 1");
  nowMs = 1_999;
  expect([old, fresh].map((secret) => ring.authenticate(secret))).toMatchObject([
    { ok: true, value: { keyId: 1 } },
    { ok: true, value: { keyId: 1 } },
  ]);
  nowMs = 2_000;
  expect(ring.authenticate(old)).toEqual(REFUSED);
  expect(ring.authenticate(fresh).ok).toBe(true);
});

test("nothing changes before the ring is read again", async () => {
  const secret = await key();
  database.other.run("update keys set state = 'revoked'");
  expect(ring.authenticate(secret).ok).toBe(true);
  await ring.reload(database.db);
  expect(ring.authenticate(secret)).toEqual(REFUSED);
});

describe("the administrator's secret from the environment", () => {
  const secret = "a secret from the environment";

  test("is an administrator without a key id", () => {
    ring.setBootstrap({ secret, accountId: 7 });
    expect(ring.authenticate(secret)).toEqual({
      ok: true,
      value: { accountId: 7, accountHandle: null, keyId: 0, role: "admin", allowedModels: null },
    });
  });

  test("survives a reload, and goes when it is taken away", async () => {
    ring.setBootstrap({ secret, accountId: 7 });
    await ring.reload(database.db);
    expect(ring.authenticate(secret).ok).toBe(true);
    ring.setBootstrap({ secret: "another", accountId: 7 });
    expect(ring.authenticate(secret)).toEqual(REFUSED);
    ring.setBootstrap(undefined);
    expect(ring.authenticate("another")).toEqual(REFUSED);
  });
});
