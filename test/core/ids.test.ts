import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createUlidSource, type RandomBytes, systemRandom } from "../../src/core/ids.ts";

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const FORM = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** A source whose clock reads what `times` says, one after the other. */
function sourceAt(times: readonly number[], random: RandomBytes = systemRandom): () => string {
  let reading = 0;
  return createUlidSource({ now: () => times[reading++] ?? 0, monotonicMs: () => 0 }, random);
}

function timeOf(ulid: string): number {
  return [...ulid.slice(0, 10)].reduce((ms, digit) => ms * 32 + CROCKFORD.indexOf(digit), 0);
}

test("a ULID has 26 characters of Crockford's alphabet and carries its time", () => {
  const id = sourceAt([1_469_918_176_385])();
  expect(id).toMatch(FORM);
  // The example of https://github.com/ulid/spec
  expect(id.slice(0, 10)).toBe("01ARYZ6S41");
});

test("ids increase strictly, however the clock moves", () => {
  const times = fc.array(fc.integer({ min: 0, max: 2 ** 48 - 1 }), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(times, (readings) => {
      const next = sourceAt(readings);
      let last = "";
      let latestMs = 0;
      for (const ms of readings) {
        const id = next();
        latestMs = Math.max(latestMs, ms);
        expect(id).toMatch(FORM);
        expect(id > last).toBe(true);
        expect(timeOf(id)).toBe(latestMs);
        last = id;
      }
    }),
  );
});

test("within a millisecond the random part counts up by one", () => {
  const next = sourceAt([5, 5, 5], (bytes) => bytes.fill(0x20 + 30)); // the upper three bits do not count
  expect([next(), next(), next()].map((id) => id.slice(24))).toEqual(["YY", "YZ", "Z0"]);
});

test("a random part that overflows takes the next millisecond rather than begin again", () => {
  const next = sourceAt([5, 5, 5, 6, 7], (bytes) => bytes.fill(31));
  const ids = Array.from({ length: 5 }, next);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(5);
});

describe("randomness", () => {
  test("comes anew with each millisecond", () => {
    let calls = 0;
    const next = sourceAt([1, 2, 2, 3], (bytes) => bytes.fill(++calls));
    const randomParts = Array.from({ length: 4 }, () => next().slice(10));
    expect(calls).toBe(3);
    expect(randomParts).toEqual(["1".repeat(16), "2".repeat(16), `${"2".repeat(15)}3`, "3".repeat(16)]);
  });

  test("of two sources makes different ids in one millisecond", () => {
    const ids = Array.from({ length: 1_000 }, () => sourceAt([9])());
    expect(new Set(ids).size).toBe(1_000);
  });
});
