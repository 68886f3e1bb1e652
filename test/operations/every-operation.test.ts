import { describe, expect, test } from "bun:test";
import { OPERATIONS } from "../../src/operations/index.ts";
import { ACTOR, NOW_MS, operations } from "./operations-setup.ts";

type Name = (typeof OPERATIONS)[number]["name"];

interface Case {
  /** Input that the operation follows. */
  readonly good: unknown;
  /** The target of its line in the audit. */
  readonly target?: string;
  /** Inputs that it refuses, and the kind of the refusal. */
  readonly refused: readonly (readonly [input: unknown, kind: string, message: RegExp])[];
}

const UNKNOWN_FIELD = [{ surprise: 1 }, "bad_request", /surprise/] as const;
const NO_ACCOUNT = [{ username: "nobody" }, "not_found", /'nobody' not found/] as const;
const NO_NAME = [{}, "bad_request", /username: /] as const;

/** A new operation needs an entry here. */
const CASES: Record<Name, Case> = {
  "accounts.create": {
    good: { username: "bob", name: "Bob", email: "bob@example.com" },
    target: "account:2",
    refused: [
      [{ username: "bob", surprise: 1 }, "bad_request", /surprise/],
      NO_NAME,
      [{ username: "" }, "bad_request", /cannot be a user name/],
      [{ username: "12" }, "bad_request", /not only digits/],
      [{ username: "a b" }, "bad_request", /cannot be a user name/],
      [{ username: "x".repeat(65) }, "bad_request", /1 to 64/],
      [{ username: "ann" }, "conflict", /'ann' already exists/],
      [{ username: "bob", email: "nonsense" }, "bad_request", /email: /],
      [{ username: "bob", name: 5 }, "bad_request", /name: /],
    ],
  },
  "accounts.list": { good: {}, refused: [UNKNOWN_FIELD] },
  "accounts.show": {
    good: { username: "ann" },
    refused: [[{ username: "ann", surprise: 1 }, "bad_request", /surprise/], NO_NAME, NO_ACCOUNT],
  },
  "accounts.close": {
    good: { username: "1" },
    target: "account:1",
    refused: [[{ username: "ann", surprise: 1 }, "bad_request", /surprise/], NO_NAME, NO_ACCOUNT],
  },
  "keys.create": {
    good: {
      username: "ann",
      name: "laptop",
      role: "admin",
      allowedModels: ["alias"],
      expiresAt: "2027-01-01T00:00:00Z",
    },
    target: "key:2",
    refused: [
      [{ username: "ann", surprise: 1 }, "bad_request", /surprise/],
      NO_NAME,
      NO_ACCOUNT,
      [{ username: "ann", role: "root" }, "bad_request", /role: /],
      [{ username: "ann", allowedModels: [""] }, "bad_request", /allowedModels/],
      [{ username: "ann", expiresAt: "2020-01-01T00:00:00Z" }, "bad_request", /expiresAt: lies in the past/],
      [{ username: "ann", expiresAt: "tomorrow" }, "bad_request", /expiresAt: /],
    ],
  },
  "keys.list": {
    good: { username: "ann" },
    refused: [UNKNOWN_FIELD, NO_ACCOUNT, [{ username: 1 }, "bad_request", /username: /]],
  },
  "keys.revoke": {
    good: { key: "1" },
    target: "key:1",
    refused: [
      [{ key: "1", surprise: 1 }, "bad_request", /surprise/],
      [{}, "bad_request", /key: /],
      [{ key: "77" }, "not_found", /'77' not found/],
      [{ key: "pk_0000000000000000000000000000000000000000wxyz" }, "not_found", /'…wxyz' not found/],
    ],
  },
  "usage.show": {
    good: { username: "ann", latest: 5 },
    refused: [
      [{ username: "ann", surprise: 1 }, "bad_request", /surprise/],
      NO_NAME,
      NO_ACCOUNT,
      [{ username: "ann", latest: -1 }, "bad_request", /latest: /],
      [{ username: "ann", latest: 1.5 }, "bad_request", /latest: /],
      [{ username: "ann", latest: 1e6 }, "bad_request", /latest: /],
    ],
  },
  "models.list": { good: {}, refused: [UNKNOWN_FIELD] },
  "models.add": {
    good: { name: "new", provider: "up", model: "m2", aliases: ["n"] },
    target: "model:3",
    refused: [
      [{ name: "new", provider: "up", model: "m", surprise: 1 }, "bad_request", /surprise/],
      [{ provider: "up", model: "m" }, "bad_request", /name: /],
      [{ name: "a b", provider: "up", model: "m" }, "bad_request", /without blanks/],
      [{ name: "x".repeat(129), provider: "up", model: "m" }, "bad_request", /1 to 128/],
      [{ name: "new", provider: "", model: "m" }, "bad_request", /provider: /],
      [{ name: "new", provider: "up", model: "" }, "bad_request", /model: /],
      [{ name: "new", provider: "up", model: "m", origin: "seed" }, "bad_request", /origin: /],
      [{ name: "added", provider: "up", model: "m" }, "conflict", /'added' already exists/],
      [{ name: "alias", provider: "up", model: "m" }, "conflict", /'added' already exists/],
    ],
  },
  "models.remove": {
    good: { model: "alias" },
    target: "model:1",
    refused: [
      [{ model: "added", surprise: 1 }, "bad_request", /surprise/],
      [{}, "bad_request", /model: /],
      [{ model: "nowhere" }, "not_found", /'nowhere' was not added here/],
      [{ model: "seeded" }, "conflict", /belongs to the product/],
      [{ model: "2" }, "conflict", /belongs to the product/],
    ],
  },
  "prices.set": {
    good: {
      model: "alias",
      input: "0.25",
      output: "1.000000001",
      cacheRead: "0.1",
      effectiveFrom: "2026-05-01T00:00:00Z",
    },
    target: "price:2",
    refused: [
      [{ model: "added", surprise: 1 }, "bad_request", /surprise/],
      [{}, "bad_request", /model: /],
      ...["-1", "1e3", "0.0000000001", "1,5", "", "ten", "1.", ".5", "99999999999"].map(
        (input) => [{ model: "added", input }, "bad_request", /input: an amount in US dollars/] as const,
      ),
      [{ model: "added", input: 0.25 }, "bad_request", /input: /],
      [{ model: "added", effectiveFrom: "yesterday" }, "bad_request", /effectiveFrom: /],
    ],
  },
  "prices.list": {
    good: { model: "added", all: true },
    refused: [UNKNOWN_FIELD, [{ all: "yes" }, "bad_request", /all: /]],
  },
  "prices.import": {
    good: { format: "builtin", provider: "openai" },
    target: "prices",
    refused: [
      [{ format: "builtin", surprise: 1 }, "bad_request", /surprise/],
      [{}, "bad_request", /format: /],
      [{ format: "builtin", text: "{}" }, "bad_request", /text: /],
      [{ format: "litellm" }, "bad_request", /text: /],
      [{ format: "litellm", text: "not JSON" }, "bad_request", /./],
      [{ format: "parallama", text: "[]" }, "bad_request", /./],
      [{ format: "builtin", provider: "nobody" }, "bad_request", /'nobody'/],
    ],
  },
  "config.show": { good: {}, refused: [UNKNOWN_FIELD] },
  "db.info": { good: {}, refused: [UNKNOWN_FIELD] },
};

describe.each(OPERATIONS.map((operation) => [operation.name, operation, CASES[operation.name]] as const))(
  "%s",
  (name, operation, { good, target, refused }) => {
    test("follows a good input; its output is what it declares", async () => {
      await using setup = await operations();
      const result = await setup.run(name, good);
      expect(result).toMatchObject({ ok: true });
      const parsed = operation.output.safeParse(result.ok ? result.value : undefined);
      expect(parsed.error?.issues ?? []).toEqual([]);
      expect<unknown>(parsed.data).toEqual(result.ok ? result.value : undefined);
    });

    test(
      operation.changes ? "leaves one line in the audit" : "changes nothing and leaves no line in the audit",
      async () => {
        await using setup = await operations();
        const before = setup.contents();
        await setup.must(name, good);
        if (!operation.changes) {
          expect(setup.audit()).toEqual([]);
          expect(setup.contents()).toEqual(before);
          return;
        }
        expect(setup.audit()).toEqual([
          { at_ms: NOW_MS, actor: ACTOR, operation: name, target: target ?? "", detail: expect.any(String) },
        ]);
        expect(JSON.parse(setup.audit()[0]?.detail ?? "")).toBeObject();
        expect(setup.contents()).not.toEqual(before);
      },
    );

    test.each(refused)("refuses %j", async (input, kind, message) => {
      await using setup = await operations();
      const before = setup.contents();
      const result = await setup.run(name, input);
      expect(result).toMatchObject({ ok: false, error: { kind, message: expect.stringMatching(message) } });
      expect(setup.audit()).toEqual([]);
      expect(setup.contents()).toEqual(before);
    });

    test.each([null, undefined, [], "text", 5])("treats %p as an input like any other", async (input) => {
      await using setup = await operations();
      const result = await setup.run(name, input);
      const empty = await setup.run(name, {});
      const isNothing = input === null || input === undefined;
      expect(result.ok ? "followed" : result.error.kind).toBe(
        isNothing && empty.ok ? "followed" : "bad_request",
      );
    });
  },
);
