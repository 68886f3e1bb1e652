const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Columns that a terminal needs for a text: two for most East Asian characters, none for escape sequences. */
export function textWidth(text: string): number {
  return Bun.stringWidth(text);
}

/** The text, cut to at most `width` columns; what was cut is told by an ellipsis. */
export function fitText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  if (width < 1) return "";
  let kept = "";
  let room = width - 1;
  for (const { segment } of graphemes.segment(text)) {
    room -= textWidth(segment);
    if (room < 0) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** The text, filled with blanks to `width` columns. */
export function padText(text: string, width: number, align: "left" | "right" = "left"): string {
  const blanks = " ".repeat(Math.max(0, width - textWidth(text)));
  return align === "left" ? text + blanks : blanks + text;
}
