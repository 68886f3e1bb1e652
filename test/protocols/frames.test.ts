import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FrameRelay, type Framing } from "../../src/protocols/frames.ts";
import { sseData, sseEvent } from "../../src/protocols/sse.ts";
import { concat, fromUtf8, rechunk, utf8 } from "../support/bytes.ts";
import { parseSse } from "../support/sse.ts";

const MEGABYTE = 1024 * 1024;
const MAX_FRAME_BYTES = 32 * MEGABYTE;

/** Reads a stream in these pieces; the frames are those that the reader was shown. */
function relay(framing: Framing, pieces: readonly Uint8Array[], change = (frame: Uint8Array) => frame) {
  const frames: string[] = [];
  const relay = new FrameRelay(framing, (frame) => {
    frames.push(fromUtf8(frame));
    return change(frame);
  });
  const out = pieces.map((piece) => relay.push(piece).slice());
  return { frames, out: fromUtf8(concat([...out, relay.rest()])) };
}

const DELIMITERS = { line: ["\n", "\r\n"], "blank-line": ["\n\n", "\r\n\r\n", "\n\r\n"] } as const;

const text = fc.string({ unit: "grapheme", maxLength: 12 }).map((piece) => piece.replace(/[\r\n]/g, "·"));
const cut = fc.record({ seed: fc.integer(), max: fc.integer({ min: 1, max: 9 }) });

for (const framing of ["line", "blank-line"] as const) {
  const frame = fc
    .tuple(
      fc.array(text, { minLength: 1, maxLength: framing === "line" ? 1 : 3 }),
      fc.constantFrom(...DELIMITERS[framing]),
    )
    .filter(([lines]) => lines.every((line) => line !== ""))
    .map(([lines, delimiter]) => lines.join("\n") + delimiter);

  describe(`frames that end with a ${framing}`, () => {
    test("are shown whole, once each, and handed on unchanged, whatever they hold and however they are cut", () => {
      fc.assert(
        fc.property(fc.array(frame, { maxLength: 6 }), text, cut, (frames, rest, split) => {
          const stream = utf8(frames.join("") + rest);
          const read = relay(framing, rechunk(stream, split));
          expect(read.out).toBe(fromUtf8(stream));
          expect(read.frames).toEqual(rest === "" ? frames : [...frames, rest]);
        }),
        { numRuns: 500 },
      );
    });

    test("may each be dropped or replaced, and nothing else changes", () => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(frame, fc.constantFrom("keep", "drop", "replace")), { maxLength: 6 }),
          cut,
          (fates, split) => {
            const fateOf = new Map(fates);
            const change = (bytes: Uint8Array) => {
              const fate = fateOf.get(fromUtf8(bytes));
              if (fate === "drop") return new Uint8Array(0);
              return fate === "replace" ? utf8("new\n\n") : bytes;
            };
            const read = relay(framing, rechunk(utf8(fates.map(([one]) => one).join("")), split), change);
            const expected = fates.map(([one]) => {
              const fate = fateOf.get(one);
              return fate === "drop" ? "" : fate === "replace" ? "new\n\n" : one;
            });
            expect(read.out).toBe(expected.join(""));
          },
        ),
        { numRuns: 300 },
      );
    });
  });
}

test("any bytes at all come out as they went in", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 80 }),
      cut,
      fc.constantFrom<Framing>("line", "blank-line"),
      (bytes, split, framing) => {
        const relay = new FrameRelay(framing, (frame) => frame);
        const out = rechunk(bytes, split).map((piece) => relay.push(piece).slice());
        expect(Buffer.from(concat([...out, relay.rest()]))).toEqual(Buffer.from(bytes));
      },
    ),
    { numRuns: 500 },
  );
});

test("a chunk in which nothing changes is handed on itself, not a copy", () => {
  const relay = new FrameRelay("blank-line", (frame) => frame);
  const chunk = utf8("data: 1\n\ndata: 2\n\n");
  expect(relay.push(chunk)).toBe(chunk);
});

test("an event that never ends is refused at its bound, not kept", () => {
  const relay = new FrameRelay("line", (frame) => frame);
  const megabyte = new Uint8Array(MEGABYTE).fill(0x61);
  const pushes = MAX_FRAME_BYTES / megabyte.length;
  for (let count = 0; count < pushes; count++) expect(relay.push(megabyte).length).toBe(0);
  expect(() => relay.push(utf8("b"))).toThrow(`more than ${MAX_FRAME_BYTES} bytes`);
});

describe("the data of an event", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["data: 1\n\n", "1"],
    ["data:1\n\n", "1"],
    ["data:  1\n\n", " 1"],
    ["data: 1\r\n\r\n", "1"],
    ["data: 1", "1"],
    ["data: 1\n", "1"],
    ["data: ä世👋\n\n", "ä世👋"],
    ["event: e\ndata: 1\n\n", "1"],
    ["event: e\r\ndata: 1\r\n\r\n", "1"],
    ["data: 1\nevent: e\n\n", "1"],
    ["id: 7\nretry: 1\n: comment\ndata: 1\n\n", "1"],
    ["data: {\ndata: }\n\n", "{\n}"],
    ["data: a\ndata:\ndata: b\n\n", "a\n\nb"],
    ["data: [DONE]\n\n", "[DONE]"],
    ["data:\n\n", ""],
    ["data: \n\n", ""],
    ["\ndata: 1\n\n", "1"],
    [": comment\n\n", undefined],
    ["event: e\n\n", undefined],
    ["database: 1\n\n", undefined],
    ["DATA: 1\n\n", undefined],
    ["\n\n", undefined],
    ["", undefined],
  ];
  for (const [frame, data] of cases) {
    test(`${JSON.stringify(frame)} is ${JSON.stringify(data)}`, () => {
      expect(sseData(utf8(frame))).toBe(data);
    });
  }

  test("is what another reader of the format makes of it", () => {
    const line = fc.oneof(
      text.map((rest) => `data: ${rest}`),
      text.map((rest) => `: ${rest}`),
      fc.constant("event: e"),
    );
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1, maxLength: 4 }),
        fc.constantFrom("\n", "\r\n"),
        (lines, end) => {
          const frame = utf8(lines.join(end) + end + end);
          // Blanks at the end of a line that stands alone are nobody's data: JSON and [DONE] do not see them.
          expect(sseData(frame)?.trimEnd()).toBe(parseSse(frame)[0]?.data.trimEnd());
        },
      ),
    );
  });

  test("is written so that it is read again", () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.option(fc.constantFrom("error", "ping"), { nil: undefined }),
        (data, event) => {
          const frame = sseEvent(data, event);
          expect(parseSse(frame)).toEqual([{ event, data: JSON.stringify(data) }]);
          expect(JSON.parse(sseData(frame) ?? "")).toEqual(JSON.parse(JSON.stringify(data)));
        },
      ),
    );
  });
});
