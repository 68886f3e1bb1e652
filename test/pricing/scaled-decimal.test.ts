import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseUsd, usdText } from "../../src/core/money.ts";
import { amountOf } from "../../src/pricing/listed-price.ts";
import { scaledDecimal } from "../../src/pricing/scaled-decimal.ts";

const NUMBERS: readonly [text: string, power: number, expected: bigint | undefined][] = [
  ["1.5e-07", 15, 150_000_000n],
  ["2.5E-6", 15, 2_500_000_000n],
  ["0.00000015", 15, 150_000_000n],
  ["3e-06", 15, 3_000_000_000n],
  ["1e+2", 9, 100_000_000_000n],
  ["0", 15, 0n],
  ["0.0", 15, 0n],
  ["0e-99", 15, undefined],
  ["1e-15", 15, 1n],
  ["1.0e-15", 15, 1n],
  ["1e-16", 15, undefined],
  ["8.333333333333334e-08", 15, undefined],
  ["0.1", 0, undefined],
  ["120", -1, 12n],
  ["5", -1, undefined],
  ["1e999999999", 15, undefined],
  ["1e-999999999", 15, undefined],
  ["9".repeat(61), 0, undefined],
  ["-1", 9, undefined],
  ["+1", 9, undefined],
  ["NaN", 9, undefined],
  ["Infinity", 9, undefined],
  ["0x10", 9, undefined],
  ["1_000", 9, undefined],
  [" 1", 9, undefined],
  ["", 9, undefined],
  [".5", 9, undefined],
  ["1.", 9, undefined],
];

for (const [text, power, expected] of NUMBERS) {
  test(`'${text.slice(0, 30)}' times ten to the ${power}`, () => {
    expect(scaledDecimal(text, power)).toBe(expected);
  });
}

test("every amount survives its decimal text, and every way to write it with an exponent", () => {
  const amount = fc.bigInt({ min: 0n, max: 10n ** 18n - 1n });
  fc.assert(
    fc.property(amount, fc.integer({ min: -20, max: 20 }), (nanoUsd, exponent) => {
      expect(parseUsd(usdText(nanoUsd))).toBe(nanoUsd);
      expect(amountOf(usdText(nanoUsd))).toBe(nanoUsd);
      expect(scaledDecimal(usdText(nanoUsd), 9)).toBe(nanoUsd);
      expect(scaledDecimal(`${nanoUsd}e${exponent}`, -exponent)).toBe(nanoUsd);
    }),
  );
});

test("what JavaScript writes for a cost per token is read as it is written", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 999_999_999 }),
      fc.integer({ min: 6, max: 15 }),
      (digits, places) => {
        const text = String(Number(`${digits}e-${places}`));
        expect(scaledDecimal(text, 15)).toBe(BigInt(digits) * 10n ** BigInt(15 - places));
      },
    ),
  );
});

test("an amount that a column could not hold is none", () => {
  expect(amountOf("999999999.999999999")).toBe(999_999_999_999_999_999n);
  expect(amountOf("1000000000")).toBeUndefined();
  expect(amountOf("0.0000000001")).toBeUndefined();
});
