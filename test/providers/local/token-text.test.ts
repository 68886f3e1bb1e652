import { expect, test } from "bun:test";
import fc from "fast-check";
import { TokenText } from "../../../src/providers/local/worker/token-text.ts";

/** A tokenizer whose token n is the n-th of the given byte strings. */
function textOf(tokens: readonly Uint8Array[]): { pieces: string[]; whole: string } {
  const detokenize = (ids: readonly number[]) =>
    Buffer.concat(ids.flatMap((id) => tokens[id] ?? [])).toString("utf8");
  const text = new TokenText(detokenize);
  const ids = tokens.map((_, id) => id);
  return { pieces: ids.map((id) => text.push(id)), whole: detokenize(ids) };
}

test("a character in several tokens comes out once it is whole", () => {
  const bytes = [...Buffer.from("a🎉漢")].map((byte) => Uint8Array.of(byte));
  expect(textOf(bytes).pieces).toEqual(["a", "", "", "", "🎉", "", "", "漢"]);
});

test("what precedes an unfinished character in the same token is not held back", () => {
  const [first = 0, ...rest] = Buffer.from("é");
  expect(textOf([Buffer.from([120, first]), Buffer.from(rest)]).pieces).toEqual(["x", "é"]);
});

test("bytes that are no text do not hold up what follows", () => {
  const bytes = [Buffer.from([0xf0]), Buffer.from("abc")];
  expect(textOf(bytes).pieces.join("")).toBe("\uFFFDabc");
});

test("whatever the tokens, the pieces together are the text", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
      (text, cuts) => {
        const valid = text.toWellFormed().replaceAll("\uFFFD", "?");
        const bytes = Buffer.from(valid);
        const tokens: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; ) {
          const length = cuts.next().value ?? 1;
          tokens.push(bytes.subarray(at, at + length));
          at += length;
        }
        const { pieces } = textOf(tokens);
        expect(pieces.join("")).toBe(valid);
        for (const piece of pieces) expect(piece.includes("\uFFFD")).toBe(false);
      },
    ),
  );
});
