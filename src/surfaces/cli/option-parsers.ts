import { InvalidArgumentError } from "commander";
import { parseMoment } from "./parse-moment.ts";

/** Reads an amount in US dollars such as `0.25` or `$3` into exact decimal text. */
export function usdOption(text: string): string {
  const amount = text.trim().replace(/^\$/, "").replace(/^\./, "0.");
  if (/^\d{1,9}(?:\.\d{1,9})?$/.test(amount)) return amount;
  throw new InvalidArgumentError("Expected US dollars such as 0.25, with at most nine decimals.");
}

/** Reads a whole number from 0 to `most`. */
export function countOption(most: number): (text: string) => number {
  return (text) => {
    const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (count <= most) return count;
    throw new InvalidArgumentError(`Expected a whole number from 0 to ${most}.`);
  };
}

/** Reads a moment into ISO 8601; with `isFuture`, one that has passed is refused. */
export function momentOption(now: () => number, isFuture: boolean): (text: string) => string {
  return (text) => {
    const moment = parseMoment(text.trim(), now());
    if (moment === undefined) {
      throw new InvalidArgumentError(
        "Expected a span in hours, days or weeks (12h, 30d, 4w), or a date such as 2026-12-31 (UTC).",
      );
    }
    if (isFuture && Date.parse(moment) <= now()) throw new InvalidArgumentError("It lies in the past.");
    return moment;
  };
}
