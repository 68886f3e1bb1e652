import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { fitText, textWidth } from "../../../src/surfaces/cli/text/fit-text.ts";
import { plainText } from "../../../src/surfaces/cli/text/plain-text.ts";
import { type Style, styleOf } from "../../../src/surfaces/cli/text/style.ts";
import { type Column, renderTable } from "../../../src/surfaces/cli/text/table.ts";

const COLUMNS: readonly Column[] = [
  { head: "Name" },
  { head: "ID", align: "right", isFirm: true },
  { head: "Served By" },
  { head: "State", isFirm: true },
];

const ROWS = [
  ["llama3.2", "1", "ollama/llama3.2:latest, openai/gpt-4o-mini-2024-07-18", "active"],
  ["日本語モデル", "12", "local/にほんご-q4_k_m.gguf", "active"],
  ["emoji 👩‍👩‍👧 model", "123", "local/é́.gguf", "revoked"],
];

function plainStyle(width: number | undefined): Style {
  return { width, paint: (text) => text };
}

describe("a table", () => {
  test("where there is no terminal is never cut", () => {
    expect(renderTable(COLUMNS, ROWS, plainStyle(undefined))).toMatchSnapshot();
  });

  test.each([80, 60, 40, 24, 10])("fits into %d columns", (width) => {
    const text = renderTable(COLUMNS, ROWS, plainStyle(width));
    for (const line of text.split("\n")) expect(textWidth(line)).toBeLessThanOrEqual(width);
    expect(text).toMatchSnapshot();
  });

  test("keeps its columns below each other with wide characters", () => {
    const lines = renderTable(COLUMNS, ROWS, plainStyle(undefined)).split("\n");
    const starts = lines.map((line) => textWidth(line.slice(0, line.search(/active|revoked|State/))));
    expect(new Set(starts).size).toBe(1);
  });

  test("of any content fits into any width, in colour too", () => {
    const cell = fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(
        fc.array(fc.array(cell, { maxLength: 4 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 120 }),
        (rows, width) => {
          const terminal = { write: () => {}, isTerminal: true, columns: width };
          const text = renderTable(COLUMNS, rows, styleOf(terminal, {}, true));
          const lines = text.split("\n");
          expect(lines).toHaveLength(rows.length + 1);
          for (const line of lines) expect(textWidth(line)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  test("does not let what somebody stored steer the terminal", () => {
    const text = renderTable([{ head: "Name" }], [["a\x1b[2Jb\nc\u202ed\x07"]], plainStyle(80));
    expect(text).toBe("Name\na�[2Jb c�d�");
  });
});

test("text is cut at whole characters", () => {
  expect(fitText("日本語モデル", 6)).toBe("日本…");
  expect(fitText("👩‍👩‍👧👩‍👩‍👧", 3)).toBe("👩‍👩‍👧…");
  expect(fitText("abc", 3)).toBe("abc");
  expect(fitText("abcd", 1)).toBe("…");
  expect(fitText("abcd", 0)).toBe("");
});

test("half of a character is no text for a terminal", () => {
  expect(plainText("a\ud83d")).toBe("a�");
});

test("colours are for terminals, and not where they are unwanted", () => {
  const terminal = { write: () => {}, isTerminal: true, columns: 80 };
  const pipe = { ...terminal, isTerminal: false };
  expect(styleOf(terminal, {}, true).paint("x", "bad")).toBe("\x1b[31mx\x1b[39m");
  expect(styleOf(terminal, {}, false).paint("x", "bad")).toBe("x");
  expect(styleOf(terminal, { NO_COLOR: "1" }, true).paint("x", "bad")).toBe("x");
  expect(styleOf(terminal, { NO_COLOR: "" }, true).paint("x", "bad")).not.toBe("x");
  expect(styleOf(terminal, { TERM: "dumb" }, true).paint("x", "bad")).toBe("x");
  expect(styleOf(pipe, {}, true).paint("x", "bad")).toBe("x");
});
