import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { isObject } from "../support/json-access.ts";

/** A provider that answers every chat with 1,000 tokens in and 10 out. */
const upstream = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () =>
    Response.json({
      id: "c",
      object: "chat.completion",
      created: 0,
      model: "m",
      choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: "ok" } }],
      usage: { prompt_tokens: 1_000, completion_tokens: 10, total_tokens: 1_010 },
    }),
});

let gateway: TestGateway;
beforeAll(async () => {
  const yaml = `providers:\n  up: {type: openai-compatible, base_url: "${upstream.url}v1", billing: free, models: [m]}\n`;
  gateway = await startGateway({ yaml });
});
afterAll(async () => {
  await gateway.close();
  await upstream.stop(true);
});

async function chat(key: string, model = "m"): Promise<number> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
  });
  await response.bytes();
  return response.status;
}

async function newKey(input: Record<string, unknown> = {}): Promise<{ id: number; secret: string }> {
  const made = await gateway.run("keys.create", { username: "me", ...input });
  if (!isObject(made) || !isObject(made.key)) throw new Error("no key");
  return { id: Number(made.key.id), secret: String(made.secret) };
}

async function lastCost(): Promise<bigint | undefined> {
  return gateway.rows.at(-1)?.costNanoUsd;
}

describe("a change is in force with the next request", () => {
  test("a new key works; revoked, it does not", async () => {
    const { id, secret } = await newKey();
    expect(await chat(secret)).toBe(200);
    await gateway.run("keys.revoke", { key: String(id) });
    expect(await chat(secret)).toBe(401);
  });

  test("the keys of a closed account stop", async () => {
    await gateway.run("accounts.create", { username: "bob" });
    const { secret } = await newKey({ username: "bob" });
    expect(await chat(secret)).toBe(200);
    await gateway.run("accounts.close", { username: "bob" });
    expect(await chat(secret)).toBe(401);
  });

  test("a new price is charged, an earlier request keeps what it was charged", async () => {
    expect(await chat(gateway.userKey)).toBe(200);
    expect(await lastCost()).toBe(0n);
    const before = gateway.rows.at(-1);
    await gateway.run("prices.set", { model: "m", input: "2", output: "5", perRequest: "0.001" });
    expect(await chat(gateway.userKey)).toBe(200);
    // 1,000 x 2 USD and 10 x 5 USD per million, and a tenth of a cent.
    expect(await lastCost()).toBe(2_000_000n + 50_000n + 1_000_000n);
    expect(before?.costNanoUsd).toBe(0n);
  });

  test("a price of the future is not charged yet", async () => {
    const { secret } = await newKey();
    await gateway.run("models.add", { name: "later", provider: "up", model: "m" });
    await gateway.run("prices.set", { model: "later", input: "7", effectiveFrom: "2999-01-01T00:00:00Z" });
    expect(await chat(secret, "later")).toBe(200);
    expect(await lastCost()).toBe(0n);
  });

  test("a new model can be called, by its alias too; removed, it cannot", async () => {
    expect(await chat(gateway.userKey, "fresh")).toBe(404);
    await gateway.run("models.add", { name: "fresh", provider: "up", model: "m", aliases: ["f"] });
    expect(await chat(gateway.userKey, "fresh")).toBe(200);
    expect(await chat(gateway.userKey, "f:latest")).toBe(200);
    await gateway.run("models.remove", { model: "f" });
    expect(await chat(gateway.userKey, "fresh")).toBe(404);
    expect(await chat(gateway.userKey, "f")).toBe(404);
  });

  test("a key of certain models may use those, whatever name they are called by, and no others", async () => {
    await gateway.run("models.add", { name: "one", provider: "up", model: "m", aliases: ["uno"] });
    const { secret } = await newKey({ allowedModels: ["uno"] });
    const answers = [await chat(secret, "one"), await chat(secret, "uno"), await chat(secret, "one:latest")];
    expect(answers).toEqual([200, 200, 200]);
    expect([await chat(secret, "m"), await chat(secret, "no-such")]).toEqual([404, 404]);
  });
});

describe("over HTTP", () => {
  const operate = (name: string, body: BodyInit, key: string) =>
    fetch(`${gateway.url}/admin/v1/operations/${name}`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body,
    });

  test("an administrator's operation is in the audit under the key that asked for it", async () => {
    const { id, secret } = await newKey({ role: "admin" });
    const response = await operate("accounts.create", JSON.stringify({ username: "carol" }), secret);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ username: "carol", state: "active" });
    using database = new Database(gateway.config.database.path, { readonly: true });
    const line = database
      .query("select actor, operation, target from audit order by id desc limit 1")
      .values()[0];
    expect(line).toEqual([`key:${id}`, "accounts.create", expect.stringMatching(/^account:\d+$/)]);
  });

  /** A body whose length is not announced. */
  const chunked = (bytes: number) =>
    new ReadableStream({
      start(controller) {
        const piece = new Uint8Array(1024 * 1024).fill(0x20);
        for (let left = bytes; left > 0; left -= piece.length) controller.enqueue(piece.subarray(0, left));
        controller.close();
      },
    });

  test.each([
    ["a user's key", "accounts.list", "{}", "user", 403],
    ["an operation that does not exist", "accounts.destroy", "{}", "admin", 404],
    ["what is not JSON", "accounts.list", "{", "admin", 400],
    ["what is not UTF-8", "accounts.list", new Uint8Array([0x22, 0xff, 0x22]), "admin", 400],
    ["an unknown field", "accounts.list", `{"a":1}`, "admin", 400],
    ["what is not there", "accounts.show", `{"username":"nobody"}`, "admin", 404],
    ["what is there already", "accounts.create", `{"username":"me"}`, "admin", 409],
  ] as const)("%s is refused", async (_, name, body, who, status) => {
    const response = await operate(name, body, who === "admin" ? gateway.adminKey : gateway.userKey);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.objectContaining({ type: "api_error" }) });
  });

  test("no body is an empty input", async () => {
    expect((await operate("accounts.list", "", gateway.adminKey)).status).toBe(200);
  });

  test("an input of unannounced length has a bound too", async () => {
    expect((await operate("accounts.list", chunked(65 * 1024 * 1024), gateway.adminKey)).status).toBe(413);
  });

  test("so has a question about a model", async () => {
    const response = await fetch(`${gateway.url}/api/show`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.userKey}` },
      body: chunked(128 * 1024),
    });
    expect(response.status).toBe(413);
  });
});
