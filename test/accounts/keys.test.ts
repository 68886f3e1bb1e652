import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { closeAccount, createAccount, findAccount, listAccounts } from "../../src/accounts/accounts.ts";
import { hashSecret } from "../../src/accounts/key-format.ts";
import { createKey, findKey, listKeys, revokeKey } from "../../src/accounts/keys.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { type TempDatabase, tempDatabase } from "../support/temp-database.ts";

const NOW_MS = 1_000;

let database: TempDatabase;
beforeEach(async () => {
  database = await tempDatabase();
  await createAccount(database.db, { handle: "ann", nowMs: NOW_MS });
});
afterEach(() => database[Symbol.asyncDispose]());

const newKey = () =>
  createKey(database.db, { accountId: 1, prefix: "pk", role: "user", nowMs: NOW_MS }, systemRandom);

describe("a user name", () => {
  test.each(["bob", "b", "Bob.Smith", "bob@example.com", "team-1", "1a", "a_b+c", "x".repeat(64)])(
    "%p is one",
    async (handle) => {
      expect(await createAccount(database.db, { handle, nowMs: NOW_MS })).toMatchObject({
        ok: true,
        value: { handle },
      });
      expect(await findAccount(database.db, handle)).toMatchObject({ ok: true, value: { handle } });
    },
  );

  test.each(["", " ", "12", "0", "-a", ".a", "a b", "ä", "a/b", "a\n", "x".repeat(65)])(
    "%p is none",
    async (handle) => {
      const result = await createAccount(database.db, { handle, nowMs: NOW_MS });
      expect(result).toMatchObject({ ok: false, error: { kind: "bad_request", param: "username" } });
      expect(await listAccounts(database.db)).toHaveLength(1);
    },
  );

  test("is taken once, whatever became of its account", async () => {
    const again = { ok: false, error: { kind: "conflict", message: "User 'ann' already exists" } };
    expect(await createAccount(database.db, { handle: "ann", nowMs: NOW_MS })).toMatchObject(again);
    await closeAccount(database.db, 1, NOW_MS);
    expect(await createAccount(database.db, { handle: "ann", nowMs: NOW_MS })).toMatchObject(again);
  });
});

test("an account is found by its id too, and never by something like it", async () => {
  expect(await findAccount(database.db, "1")).toMatchObject({ ok: true, value: { handle: "ann" } });
  for (const reference of ["2", "01x", "ANN", "", "-1", "1.0", "9".repeat(40)]) {
    expect(await findAccount(database.db, reference)).toMatchObject({
      ok: false,
      error: { kind: "not_found" },
    });
  }
});

describe("a key is found by", () => {
  test("its id, its digest's beginning, its whole digest and itself", async () => {
    const { key, secret } = await newKey();
    const digest = hashSecret(secret);
    const references = [String(key.id), digest.slice(0, 8), digest.slice(0, 16), digest, secret];
    for (const reference of references)
      expect(await findKey(database.db, reference)).toEqual({ ok: true, value: key });
  });

  test("a digest's beginning that has only digits", async () => {
    const { key } = await newKey();
    database.other.run("update key_secrets set hash = '1234567890' || substr(hash, 11)");
    expect(await findKey(database.db, "12345678")).toEqual({ ok: true, value: key });
    expect(await findKey(database.db, "1234567")).toMatchObject({ ok: false, error: { kind: "not_found" } });
  });

  test("nothing less, and nothing else", async () => {
    const { secret } = await newKey();
    for (const reference of [hashSecret(secret).slice(0, 7), secret.slice(0, -1), "2", "", "%", "pk_"]) {
      expect(await findKey(database.db, reference)).toMatchObject({
        ok: false,
        error: { kind: "not_found" },
      });
    }
  });

  test("a beginning that two keys share is refused", async () => {
    await newKey();
    await newKey();
    database.other.run("update key_secrets set hash = 'abcdabcd' || substr(hash, 9)");
    expect(await findKey(database.db, "abcdabcd")).toMatchObject({ ok: false, error: { kind: "conflict" } });
  });

  test("a beginning that two secrets of one key share is that key", async () => {
    const { key } = await newKey();
    await newKey();
    database.other.run("update key_secrets set hash = 'abcdabcd' || substr(hash, 9), key_id = 1");
    expect(await findKey(database.db, "abcdabcd")).toEqual({ ok: true, value: key });
  });
});

test("a listed key can be recognised, not used", async () => {
  const { secret } = await newKey();
  const keys = await listKeys(database.db);
  expect(keys).toMatchObject([
    { id: 1, masked: `pk_…${secret.slice(-4)}`, hash16: hashSecret(secret).slice(0, 16), lastUsedAtMs: null },
  ]);
  expect(JSON.stringify(keys)).not.toContain(secret.slice(3, -4));
});

test("keys are listed for one account or all, with their last use", async () => {
  await createAccount(database.db, { handle: "bob", nowMs: NOW_MS });
  await newKey();
  await createKey(database.db, { accountId: 2, prefix: "ak", role: "admin", nowMs: NOW_MS }, systemRandom);
  const use = (id: string, keyId: number, atMs: number) =>
    database.other.run(
      `insert into requests (id, started_at_ms, account_id, key_id, protocol, stream, status, cost_nano_usd, latency_ms, request_bytes, response_bytes)
       values ('${id}', ${atMs}, ${keyId}, ${keyId}, 'openai-chat', 0, 200, 0, 1, 1, 1)`,
    );
  use("a", 2, 5_000);
  use("b", 2, 7_000);
  const shown = (await listKeys(database.db)).map(({ id, accountId, lastUsedAtMs }) => [
    id,
    accountId,
    lastUsedAtMs,
  ]);
  expect(shown).toEqual([
    [1, 1, null],
    [2, 2, 7_000],
  ]);
  expect((await listKeys(database.db, 2)).map(({ id }) => id)).toEqual([2]);
});

test("revoking is for good, and keeps its first moment", async () => {
  await newKey();
  await revokeKey(database.db, 1, 5_000);
  await revokeKey(database.db, 1, 6_000);
  expect(await findKey(database.db, "1")).toMatchObject({
    ok: true,
    value: { state: "revoked", revokedAtMs: 5_000 },
  });
});
