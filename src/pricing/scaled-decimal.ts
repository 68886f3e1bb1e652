/** Longer than any honest amount, and short enough that no exponent can ask for a huge integer. */
const MAX_DIGITS = 60;
const MAX_EXPONENT = 60;

const NUMBER = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?$/;

/**
 * A decimal number times ten to the `power`, read from its text, never through a float: ("1.5e-07", 15) is
 * 150000000n. `undefined` where that is not a whole number, where the text has a sign, and where it is no number.
 */
export function scaledDecimal(text: string, power: number): bigint | undefined {
  const match = NUMBER.exec(text);
  if (match === null || text.length > MAX_DIGITS) return undefined;
  const fraction = match[2] ?? "";
  const exponent = Number(match[3] ?? "0");
  if (Math.abs(exponent) > MAX_EXPONENT) return undefined;
  const digits = `${match[1] ?? ""}${fraction}`;
  const shift = power + exponent - fraction.length;
  if (shift >= 0) return BigInt(digits) * 10n ** BigInt(shift);
  const cut = digits.slice(shift);
  if (!/^0*$/.test(cut)) return undefined;
  return BigInt(digits.slice(0, shift) || "0");
}
