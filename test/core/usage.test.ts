import { expect, test } from "bun:test";
import { reportedCount, tokenCounts } from "../../src/core/usage.ts";

test.each([0, 1, 128_000, 1_000_000_000])("%p is a count", (value) => {
  expect(reportedCount(value)).toBe(value);
});

test.each([
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  1_000_000_001,
  2 ** 53,
  "5",
  null,
  undefined,
  true,
  {},
  [[1]],
  5n,
])("%p is unknown, not a count", (value) => {
  expect(reportedCount(value)).toBeUndefined();
});

test("an unknown bucket is left out, one of nought stays", () => {
  const counts = tokenCounts({
    input: 0,
    cacheRead: undefined,
    cacheWrite: undefined,
    output: 4,
    reasoning: undefined,
  });
  expect(Object.entries(counts)).toEqual([
    ["input", 0],
    ["output", 4],
  ]);
});
