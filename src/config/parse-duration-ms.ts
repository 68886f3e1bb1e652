const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const DURATION = /^(?:\d{1,12}(?:\.\d{1,6})?\s*(?:ms|s|m|h|d)\s*)+$/;
const PART = /(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g;
const PLAIN_SECONDS = /^\d{1,12}(?:\.\d{1,6})?$/;

/**
 * Reads a duration into whole milliseconds: text such as "10s", "500ms", "1m30s", "1.5h", or a plain number (also as
 * text), which is seconds. Anything else, a negative one, or a fraction of a millisecond gives `undefined`.
 */
export function parseDurationMs(raw: string | number): number | undefined {
  if (typeof raw === "number") return wholeMs(raw * 1000);
  const text = raw.trim();
  if (PLAIN_SECONDS.test(text)) return wholeMs(Number(text) * 1000);
  if (!DURATION.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(PART)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ""] ?? Number.NaN);
  }
  return wholeMs(totalMs);
}

/** 0.1 + 0.2 seconds is a whole number of milliseconds, though not in binary fractions: a billionth is forgiven. */
function wholeMs(ms: number): number | undefined {
  const rounded = Math.round(ms);
  if (!Number.isSafeInteger(rounded) || rounded < 0) return undefined;
  return Math.abs(ms - rounded) <= Math.max(1, rounded) * 1e-9 ? rounded : undefined;
}

/** The shortest text of one unit that `parseDurationMs` reads back as the same number: "5m", "90s", "1500ms". */
export function formatDurationMs(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const factor = UNIT_MS[unit] ?? 1;
    if (ms >= factor && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return ms === 0 ? "0s" : `${ms}ms`;
}
