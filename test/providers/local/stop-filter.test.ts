import { expect, test } from "bun:test";
import fc from "fast-check";
import { StopFilter } from "../../../src/providers/local/worker/stop-filter.ts";

function filtered(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const filter = new StopFilter(stops);
  const text = pieces.map((piece) => filter.push(piece)).join("") + filter.flush();
  return { text, stopped: filter.stopped };
}

test("a stop string across pieces is withheld with all that follows", () => {
  expect(filtered(["Hello", " w", "or", "ld and more"], ["world"])).toEqual({
    text: "Hello ",
    stopped: true,
  });
});

test("the beginning of a stop string that never comes is delivered in the end", () => {
  expect(filtered(["one tw"], ["two"])).toEqual({ text: "one tw", stopped: false });
});

test("text goes out as soon as it cannot belong to a stop string", () => {
  const filter = new StopFilter(["###"]);
  expect([filter.push("a#"), filter.push("#"), filter.push("b")]).toEqual(["a", "", "##b"]);
});

test("where the pieces are cut makes no difference", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 30 });
  const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 8 }), stops, (pieces, stopList) => {
      const whole = pieces.join("");
      const inPieces = filtered(pieces, stopList);
      expect(inPieces).toEqual(filtered([...whole], stopList));
      expect(whole.startsWith(inPieces.text)).toBe(true);
      expect(inPieces.stopped).toBe(stopList.some((stop) => whole.includes(stop)));
      for (const stop of stopList) expect(inPieces.text).not.toContain(stop);
    }),
  );
});
