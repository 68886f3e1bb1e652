import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hashSecret, isMistyped, type KeyPrefix, newSecret } from "../../src/accounts/key-format.ts";
import { systemRandom } from "../../src/core/ids.ts";

const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIXES: readonly KeyPrefix[] = ["pk", "sk", "ak"];
const secrets = fc.constantFrom(...PREFIXES).map((prefix) => newSecret(prefix, systemRandom));
const alphabet = fc.constantFrom(...BASE62);

test.each(PREFIXES)("a key %s_... has 43 characters after its prefix, and its own checksum", (prefix) => {
  const secret = newSecret(prefix, systemRandom);
  expect(secret).toMatch(new RegExp(`^${prefix}_[0-9A-Za-z]{43}$`));
  expect(isMistyped(secret)).toBe(false);
});

test("the form is fixed: a key that was made today is recognised by every later version", () => {
  const counting = (bytes: Uint8Array) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = i;
  };
  const secret = newSecret("pk", counting);
  expect(secret.slice(0, 40)).toBe("pk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZa");
  expect(secret).toHaveLength(46);
  expect(isMistyped(secret)).toBe(false);
  expect(secret).toMatchInlineSnapshot(`"pk_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZa05Cy16"`);
});

test("one changed character is always noticed", () => {
  fc.assert(
    fc.property(secrets, fc.nat({ max: 42 }), alphabet, (secret, at, character) => {
      const position = 3 + at;
      const changed = secret.slice(0, position) + character + secret.slice(position + 1);
      expect(isMistyped(changed)).toBe(changed !== secret);
    }),
    { numRuns: 2_000 },
  );
});

test("two neighbours that changed places are always noticed", () => {
  fc.assert(
    fc.property(secrets, fc.nat({ max: 41 }), (secret, at) => {
      const i = 3 + at;
      const swapped = `${secret.slice(0, i)}${secret[i + 1]}${secret[i]}${secret.slice(i + 2)}`;
      expect(isMistyped(swapped)).toBe(swapped !== secret);
    }),
  );
});

test("another door's prefix on the same key is noticed", () => {
  const secret = newSecret("pk", systemRandom);
  expect(isMistyped(`ak${secret.slice(2)}`)).toBe(true);
});

describe("what is not of our form is nobody's slip: it may be anything", () => {
  test.each([
    "",
    "pk_",
    "sk-proj-abc",
    "hello",
    `pk_${"0".repeat(42)}`,
    `pk_${"0".repeat(44)}`,
    `pk_${"-".repeat(43)}`,
  ])("%p", (secret) => {
    expect(isMistyped(secret)).toBe(false);
  });
});

test("every character comes about equally often", () => {
  const counts = new Map<string, number>();
  const keys = 2_000;
  for (let i = 0; i < keys; i++) {
    for (const character of newSecret("pk", systemRandom).slice(3, 40)) {
      counts.set(character, (counts.get(character) ?? 0) + 1);
    }
  }
  const expected = (keys * 37) / 62; // 1,193, with a standard deviation of 34
  expect(counts.size).toBe(62);
  for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(7 * 34);
});

test("bytes that would favour some characters are thrown away", () => {
  let calls = 0;
  const skewed = (bytes: Uint8Array) => bytes.fill(calls++ === 0 ? 255 : 1);
  expect(newSecret("pk", skewed).slice(3, 40)).toBe("1".repeat(37));
  expect(calls).toBe(2);
});

test("the hash is SHA-256, in hex", () => {
  expect(hashSecret("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
