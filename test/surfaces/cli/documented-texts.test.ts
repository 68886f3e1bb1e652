import { expect, test } from "bun:test";
import { ALICE, FIGURES, KEY, refused, run } from "./support.ts";

// What a user of the documented commands reads, to the character.

test("user create tells that it was created, and lists its details", async () => {
  const ran = await run("user create alice --email alice@example.com", {
    operations: { "accounts.create": ALICE },
  });
  expect(ran.exitCode).toBe(0);
  expect(ran.calls).toEqual([
    { name: "accounts.create", input: { username: "alice", name: null, email: "alice@example.com" } },
  ]);
  expect(ran.stdout).toBe(
    [
      "User 'alice' created successfully",
      "",
      "User Details",
      "  ID:        7",
      "  Username:  alice",
      "  Name:      Alice Liddell",
      "  Email:     alice@example.com",
      "  State:     active",
      "  Created:   2026-11-01 10:20Z",
      "",
    ].join("\n"),
  );
  expect(ran.stderr).toBe("");
  expect(ran.closed).toBe(1);
});

test("a user that exists and one that does not are errors with exit code 1", async () => {
  const twice = await run("user create x", {
    operations: { "accounts.create": refused("User 'x' already exists") },
  });
  expect(twice).toMatchObject({
    exitCode: 1,
    stdout: "",
    stderr: "Error: User 'x' already exists\n",
    closed: 1,
  });
  const none = await run("user info x", { operations: { "accounts.show": refused("User 'x' not found") } });
  expect(none).toMatchObject({ exitCode: 1, stdout: "", stderr: "Error: User 'x' not found\n" });
});

test("user list is a table, and an empty one says so", async () => {
  const ran = await run("user list", { operations: { "accounts.list": { accounts: [ALICE] } } });
  expect(ran.stdout).toBe(
    "Username  ID  State   Created            Name\nalice      7  active  2026-11-01 10:20Z  Alice Liddell\n",
  );
  const empty = await run("user list", { operations: { "accounts.list": { accounts: [] } } });
  expect(empty.stdout).toBe("No data available\n");
});

test("user info shows details, usage and masked keys", async () => {
  const output = { account: ALICE, usage: FIGURES, keys: [KEY] };
  const { stdout } = await run("user info alice", { operations: { "accounts.show": output } });
  expect(stdout).toMatchSnapshot();
});

test("key generate shows the key once, with the documented words and its id", async () => {
  const output = { key: KEY, secret: "pk_secret", unknownModels: [] };
  const ran = await run("key generate alice", { operations: { "keys.create": output } });
  expect(ran.stdout.split("\n")).toEqual([
    "API Key:",
    "pk_secret",
    "",
    "Store this key securely - it won't be shown again!",
    "API key created successfully",
    "ID: 3 (expires 2026-12-31 00:00Z)",
    "",
  ]);
});

test("key list has the documented columns, and state and masked key", async () => {
  const ran = await run("key list --username alice", { operations: { "keys.list": { keys: [KEY] } } });
  expect(ran.calls[0]?.input).toEqual({ username: "alice" });
  expect(ran.stdout.split("\n")[0]?.split(/ {2,}/)).toEqual([
    "ID",
    "Name",
    "User ID",
    "User",
    "Created",
    "Expires",
    "Last Used",
    "State",
    "Key",
    "Models",
  ]);
  const all = await run("key list", { operations: { "keys.list": { keys: [] } } });
  expect(all.calls[0]?.input).toEqual({});
  expect(all.stdout).toBe("No data available\n");
});

test("key revoke names the key by its id", async () => {
  const ran = await run("key revoke 9f86d081884c7d65", { operations: { "keys.revoke": { id: 3 } } });
  expect(ran).toMatchObject({ exitCode: 0, stdout: "API key 3 revoked successfully\n", stderr: "" });
});

test("usage show: today, current hour, in all, and the latest requests", async () => {
  const latest = [
    {
      id: "01M80W8JTCVW6A9CYDBCPB2KDE",
      at: "2026-11-22T05:20:01.123Z",
      model: "gpt-4o",
      provider: "openai",
      status: 200,
      error: null,
      inputTokens: 1200,
      cacheReadTokens: 300,
      cacheWriteTokens: null,
      outputTokens: 45,
      reasoningTokens: null,
      usageSource: "provider",
      costUsd: "0.0042",
      latencyMs: 812,
    },
    {
      id: "01M80W8JTCVW6A9CYDBCPB2KDD",
      at: "2026-11-22T05:19:00.000Z",
      model: null,
      provider: null,
      status: 503,
      error: "overloaded",
      inputTokens: null,
      cacheReadTokens: null,
      cacheWriteTokens: null,
      outputTokens: null,
      reasoningTokens: null,
      usageSource: null,
      costUsd: "0.00",
      latencyMs: 65_432.1,
    },
  ];
  const operations = { "usage.show": { username: "alice", ...FIGURES, latest } };
  const ran = await run("usage show alice --latest 2", { operations });
  expect(ran.calls[0]?.input).toEqual({ username: "alice", latest: 2 });
  expect(ran.stdout).toMatchSnapshot();
  const summary = await run("usage show alice --latest 0", { operations });
  expect(summary.stdout).not.toContain("Latest");
});
