const UNIT_MS: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const SPAN = /^(\d{1,6})([hdw])$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_AND_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/i;

/**
 * Reads a moment: a span from now (`12h`, `30d`, `4w`), a date (its first moment, UTC) or a date and time (UTC unless it
 * says its offset). Gives ISO 8601 in UTC, or `undefined` for anything else, February 30 too.
 */
export function parseMoment(text: string, nowMs: number): string | undefined {
  const span = SPAN.exec(text);
  if (span !== null) return isoOf(nowMs + Number(span[1]) * (UNIT_MS[span[2] ?? ""] ?? Number.NaN));
  const [day = ""] = text.split(/[T ]/i);
  if (isoOf(Date.parse(`${day}T00:00:00Z`))?.slice(0, 10) !== day) return undefined;
  if (DATE.test(text)) return isoOf(Date.parse(`${text}T00:00:00Z`));
  const match = DATE_AND_TIME.exec(text);
  if (match === null) return undefined;
  return isoOf(Date.parse(`${text.replace(" ", "T").toUpperCase()}${match[1] === undefined ? "Z" : ""}`));
}

function isoOf(ms: number): string | undefined {
  return Number.isNaN(ms) || Math.abs(ms) > 8.64e15 ? undefined : new Date(ms).toISOString();
}
