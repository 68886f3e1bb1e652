import { fitText, padText, textWidth } from "./fit-text.ts";
import { plainText } from "./plain-text.ts";
import type { Style, Tone } from "./style.ts";

export interface Column {
  readonly head: string;
  readonly align?: "left" | "right";
  /** Is cut only when cutting the other columns does not help: ids, states, numbers. */
  readonly isFirm?: boolean;
  tone?(cell: string): Tone | undefined;
}

/** What an empty table says. */
const NO_DATA = "No data available";

const GAP = "  ";
/** Columns are not cut below this while another one is wider. */
const READABLE_WIDTH = 6;

/** A table as lines of text, no wider than the style's terminal. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
): string {
  if (rows.length === 0) return NO_DATA;
  const cells = rows.map((row) => columns.map((_, index) => plainText(row[index] ?? "")));
  const widths = fitWidths(columns, naturalWidths(columns, cells), style.width);
  const head = columns.map(({ head: text }) => text);
  const lines = [
    renderLine(columns, head, widths, (text) => style.paint(text, "heading")),
    ...cells.map((row) =>
      renderLine(columns, row, widths, (text, column, cell) => style.paint(text, column.tone?.(cell))),
    ),
  ];
  const { width } = style;
  // Narrower than one letter for each column: colours are given up too, for a cut could lose their end.
  const isHopeless = width !== undefined && lineWidth(widths) > width;
  return (isHopeless ? lines.map((line) => fitText(Bun.stripANSI(line), width)) : lines).join("\n");
}

function renderLine(
  columns: readonly Column[],
  cells: readonly string[],
  widths: readonly number[],
  paint: (text: string, column: Column, cell: string) => string,
): string {
  const parts = columns.map((column, index) => {
    const cell = cells[index] ?? "";
    const width = widths[index] ?? 0;
    const text = fitText(cell, width);
    const padding = " ".repeat(Math.max(0, width - textWidth(text)));
    const painted = paint(text, column, cell);
    if (column.align === "right") return padding + painted;
    return index === columns.length - 1 ? painted : painted + padding;
  });
  return parts.join(GAP).trimEnd();
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map(({ head }, index) =>
    rows.reduce((widest, row) => Math.max(widest, textWidth(row[index] ?? "")), textWidth(head)),
  );
}

/** Takes columns from the widest, first those that may be cut, until all fit. */
function fitWidths(
  columns: readonly Column[],
  natural: readonly number[],
  limit: number | undefined,
): number[] {
  const widths = [...natural];
  if (limit === undefined) return widths;
  const all = widths.map((_, index) => index);
  const soft = all.filter((index) => columns[index]?.isFirm !== true);
  // A number that is cut says something else: words go first, whatever it costs them.
  const words = all.filter((index) => columns[index]?.align !== "right");
  for (const [candidates, least] of [
    [soft, READABLE_WIDTH],
    [words, READABLE_WIDTH],
    [words, 1],
    [all, 1],
  ] as const) {
    while (lineWidth(widths) > limit) {
      const widest = candidates.reduce(
        (a, b) => ((widths[b] ?? 0) > (widths[a] ?? 0) ? b : a),
        candidates[0] ?? 0,
      );
      const width = widths[widest] ?? 0;
      if (width <= least) break;
      widths[widest] = width - 1;
    }
  }
  return widths;
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1);
}

/** A heading and one line for each value, the values below each other. */
export function renderValues(
  heading: string,
  values: readonly (readonly [label: string, value: string])[],
  style: Style,
): string {
  const labelWidth = values.reduce((widest, [label]) => Math.max(widest, textWidth(label)), 0) + 1;
  const lines = values.map(([label, value]) => `  ${padText(`${label}:`, labelWidth)}  ${plainText(value)}`);
  return [style.paint(heading, "heading"), ...lines].join("\n");
}
