/** An amount of money: billionths of a US dollar, as an integer. Never a float, never another currency. */
export type NanoUsd = bigint;

export const NANO_PER_USD = 1_000_000_000n;

const DECIMAL = /^(\d+)(?:\.(\d+))?$/;

/**
 * Reads a decimal amount of dollars ("0.001", "12") exactly. More than nine decimals that say something, a sign, an
 * exponent, or anything else that is not a plain decimal gives `undefined`.
 */
export function parseUsd(text: string): NanoUsd | undefined {
  const match = DECIMAL.exec(text.trim());
  if (!match) return undefined;
  const fraction = (match[2] ?? "").replace(/0+$/, "");
  if (fraction.length > 9) return undefined;
  return BigInt(match[1] ?? "0") * NANO_PER_USD + BigInt(fraction.padEnd(9, "0"));
}

/** The exact decimal text of an amount in dollars: two decimals, and as many more (up to nine) as it needs: "0.003". */
export function usdText(amount: NanoUsd): string {
  const sign = amount < 0n ? "-" : "";
  const absolute = amount < 0n ? -amount : amount;
  const fraction = (absolute % NANO_PER_USD).toString().padStart(9, "0").replace(/0+$/, "").padEnd(2, "0");
  return `${sign}${absolute / NANO_PER_USD}.${fraction}`;
}
