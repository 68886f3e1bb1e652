import { expect, test } from "bun:test";
import fc from "fast-check";
import { NANO_PER_USD, parseUsd, usdText } from "../../src/core/money.ts";

test.each([
  ["0", 0n],
  ["0.000000001", 1n],
  ["0.1", 100_000_000n],
  ["12", 12n * NANO_PER_USD],
  ["00012.50", 12_500_000_000n],
  ["1.1000000000000", 1_100_000_000n],
  [" 3.5 ", 3_500_000_000n],
  ["123456789012345678901234567890.123456789", 123456789012345678901234567890123456789n],
])("%p is %p nano-dollars", (text, amount) => {
  expect(parseUsd(text)).toBe(amount);
});

test.each([
  "",
  " ",
  "-1",
  "+1",
  "1.",
  ".5",
  "1,5",
  "1e3",
  "1e-6",
  "0x10",
  "$1",
  "1 000",
  "NaN",
  "Infinity",
  "1.0000000001",
  "１",
  "1\n2",
])("%p is no amount", (text) => {
  expect(parseUsd(text)).toBeUndefined();
});

test.each([
  [0n, "0.00"],
  [1n, "0.000000001"],
  [10_000_000n, "0.01"],
  [3_000_000n, "0.003"],
  [1_500_000_000n, "1.50"],
  [NANO_PER_USD * 1_000_000n, "1000000.00"],
  [-3_000_000n, "-0.003"],
  [2n ** 63n - 1n, "9223372036.854775807"],
])("%p nano-dollars are written %p", (amount, text) => {
  expect(usdText(amount)).toBe(text);
});

test("what is written is read back exactly", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 90n }), (amount) => {
      expect(parseUsd(usdText(amount))).toBe(amount);
    }),
  );
});

test("reading agrees with arithmetic on the digits", () => {
  const digits = (max: number) =>
    fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: max }).map((list) => list.join(""));
  fc.assert(
    fc.property(digits(30), digits(9), (whole, fraction) => {
      expect(parseUsd(`${whole}.${fraction}`)).toBe(BigInt(whole + fraction.padEnd(9, "0")));
    }),
  );
});
