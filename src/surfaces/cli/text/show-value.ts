export { formatBytes as showBytes } from "../../../providers/local/pull/render-progress.ts";

/** A moment as people read it, in UTC: `2026-11-22 05:23Z`. */
export function showTime(iso: string | null, absent = "-"): string {
  return iso === null ? absent : `${iso.slice(0, 10)} ${iso.slice(11, 16)}Z`;
}

/** The same to the second. */
export function showTimeToSecond(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`;
}

/** A count with its thousands apart; unknown is not zero. */
export function showCount(count: number | null): string {
  return count === null ? "?" : count.toLocaleString("en-US");
}

/** Exact decimal text of US dollars, as operations give it. */
export function showUsd(amount: string | null, absent = ""): string {
  return amount === null ? absent : `$${amount}`;
}

/** `1 key`, `2 keys`. */
export function showNumberOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
