import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Operations, operations } from "./operations-setup.ts";

let setup: Operations;
beforeEach(async () => {
  setup = await operations();
});
afterEach(() => setup[Symbol.asyncDispose]());

test("an audit line that cannot be written undoes what it was about", async () => {
  setup.other.run(
    "create trigger no_audit before insert on audit begin select raise(abort, 'no audit'); end",
  );
  const before = setup.contents();
  await expect(setup.run("keys.revoke", { key: "1" })).rejects.toThrow("no audit");
  expect(setup.contents()).toEqual(before);
  setup.other.run("drop trigger no_audit");
  expect((await setup.run("keys.revoke", { key: "1" })).ok).toBe(true);
});

test("a change that fails half-way leaves nothing", async () => {
  setup.other.run(
    "create trigger no_secret before insert on key_secrets begin select raise(abort, 'no secret'); end",
  );
  const before = setup.contents();
  await expect(setup.run("keys.create", { username: "ann" })).rejects.toThrow("no secret");
  expect(setup.contents()).toEqual(before);
  expect(setup.audit()).toEqual([]);
});

test("a key's secret is in the answer that made it, and nowhere else", async () => {
  const made = await setup.must("keys.create", { username: "ann", name: "laptop", allowedModels: ["added"] });
  const secret = String(made.secret);
  expect(secret).toMatch(/^pk_[0-9A-Za-z]{43}$/);
  const shown = [
    await setup.must("keys.list", {}),
    await setup.must("accounts.show", { username: "ann" }),
    await setup.must("keys.revoke", { key: secret }),
    setup.audit(),
  ];
  expect(JSON.stringify(shown)).not.toContain(secret.slice(3, 30));
  setup.other.run("pragma wal_checkpoint");
  const files = Buffer.concat([readFileSync(setup.path), readFileSync(`${setup.path}-wal`)]);
  expect(files.includes("laptop")).toBe(true); // what was stored is found this way
  expect(files.includes(secret.slice(3, 30))).toBe(false);
});

test("a whole key that is not found is not repeated in the refusal", async () => {
  const unknown = `pk_${"A".repeat(43)}`;
  const result = await setup.run("keys.revoke", { key: unknown });
  expect(JSON.stringify(result)).not.toContain("AAAAA");
});

test("the audit of an import has its figures, not the list", async () => {
  const list = {
    m: { input_cost_per_token: 1e-6, output_cost_per_token: 2e-6, litellm_provider: "openai", mode: "chat" },
  };
  await setup.must("prices.import", { format: "litellm", text: JSON.stringify(list) });
  const [line] = setup.audit();
  expect(JSON.parse(line?.detail ?? "")).toMatchObject({ imported: 1 });
  expect(line?.detail).not.toContain("input_cost_per_token");
});

describe("what an operation does", () => {
  test("a second account of the same e-mail address is refused, not an internal error", async () => {
    await setup.must("accounts.create", { username: "bob", email: "b@example.com" });
    const again = await setup.run("accounts.create", { username: "bobby", email: "b@example.com" });
    expect(again).toMatchObject({ ok: false, error: { kind: "conflict", param: "email" } });
  });

  test("closing an account revokes its keys for good and makes no new ones", async () => {
    expect(await setup.must("accounts.close", { username: "ann" })).toEqual({
      id: 1,
      username: "ann",
      revokedKeys: 1,
    });
    expect(await setup.must("accounts.close", { username: "ann" })).toMatchObject({ revokedKeys: 0 });
    expect(await setup.must("keys.list", {})).toMatchObject({ keys: [{ state: "revoked" }] });
    expect(await setup.run("keys.create", { username: "ann" })).toMatchObject({
      ok: false,
      error: { kind: "conflict" },
    });
  });

  test("revoking twice keeps the first moment", async () => {
    await setup.must("keys.revoke", { key: "1" });
    setup.time.nowMs += 1_000;
    await setup.must("keys.revoke", { key: "1" });
    expect(setup.other.query("select revoked_at_ms from keys").values()).toEqual([
      [BigInt(setup.time.nowMs - 1_000)],
    ]);
  });

  test("an expired key is shown as expired", async () => {
    await setup.must("keys.create", { username: "ann", expiresAt: "2026-02-03T05:00:00Z" });
    expect(await setup.must("keys.list", {})).toMatchObject({
      keys: [{ state: "active" }, { state: "active" }],
    });
    setup.time.nowMs += 3_600_000;
    expect(await setup.must("keys.list", {})).toMatchObject({
      keys: [{ state: "active" }, { state: "expired" }],
    });
  });

  test("a model that is added again with `replace` gets the new target in front, the old one once behind", async () => {
    const again = { name: "added:latest", provider: "other", model: "m2", replace: true };
    await setup.must("models.add", again);
    await setup.must("models.add", again);
    expect(setup.other.query("select name, targets from models where id = 1").values()).toEqual([
      [
        "added",
        JSON.stringify([
          { provider: "other", model: "m2" },
          { provider: "up", model: "m" },
        ]),
      ],
    ]);
  });

  test("a name that is nothing but `:latest` does not become an empty one", async () => {
    expect(await setup.must("models.add", { name: ":latest", provider: "up", model: "m" })).toMatchObject({
      name: ":latest",
    });
  });

  test("a price keeps every decimal, and an alias is priced under its model's name", async () => {
    const price = {
      input: "123456789.123456789",
      output: "0.000000001",
      cacheRead: "0",
      reasoning: null,
      perRequest: "0.01",
    };
    await setup.must("prices.set", { model: "alias", ...price });
    const { prices } = await setup.must("prices.list", { model: "added" });
    expect(prices).toMatchObject([
      {
        model: "added",
        ...price,
        cacheRead: "0.00",
        cacheWrite: null,
        effectiveFrom: "2026-02-03T04:05:06.000Z",
        source: "set",
      },
    ]);
  });

  test("a provider's own price keeps the provider's own name of the model", async () => {
    await setup.must("prices.set", { model: "alias", provider: "up", input: "1" });
    expect(await setup.must("prices.list", { model: "alias" })).toMatchObject({
      prices: [{ model: "alias", provider: "up" }],
    });
  });

  test("a price of the future is listed only with `all`", async () => {
    await setup.must("prices.set", { model: "added", input: "2", effectiveFrom: "2026-03-01T00:00:00Z" });
    expect(await setup.must("prices.list", {})).toMatchObject({ prices: [{ input: "1.00" }] });
    expect(await setup.must("prices.list", { all: true })).toMatchObject({
      prices: [{ input: "2.00" }, { input: "1.00" }],
    });
  });

  test("a dry run of an import adds nothing", async () => {
    const before = setup.contents();
    const { imported } = await setup.must("prices.import", { format: "builtin", dryRun: true });
    expect(imported).toBeGreaterThan(50);
    expect(setup.contents()).toEqual(before);
  });
});
