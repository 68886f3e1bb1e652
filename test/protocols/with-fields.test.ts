import { expect, test } from "bun:test";
import fc from "fast-check";
import { type JsonObject, readJsonObject, withFields, withoutField } from "../../src/core/json-object.ts";
import { fromUtf8, utf8 } from "../support/bytes.ts";

function read(text: string): JsonObject {
  const object = readJsonObject(utf8(text), 64);
  if (!object.ok) throw new Error(object.error.message);
  return object.value;
}

const blanks = fc.string({ unit: fc.constantFrom(" ", "\n", "\t", "\r"), maxLength: 3 });
/** Names that could be mistaken for syntax; `__proto__` would not come out of an object literal as it went in. */
const name = fc
  .oneof(
    fc.string({ unit: "grapheme", maxLength: 6 }),
    fc.constantFrom("model", 'a"b', "\\", "{", "}:", "é", "stream", ""),
  )
  .filter((text) => text !== "__proto__");
const member = fc.record({
  name,
  value: fc.jsonValue({ maxDepth: 3 }),
  blanks: fc.array(blanks, { minLength: 4, maxLength: 4 }),
});

/** A JSON object written with blanks wherever they may stand, as `[text before each value, value, text after it]`. */
const written = fc
  .tuple(fc.uniqueArray(member, { selector: (one) => one.name, maxLength: 6 }), blanks, blanks)
  .map(([members, before, after]) => {
    const texts = members.map((one) => {
      const [a, b, c, d] = one.blanks;
      return {
        name: one.name,
        lead: `${a}${JSON.stringify(one.name)}${b}:${c}`,
        value: JSON.stringify(one.value),
        tail: d ?? "",
      };
    });
    return { texts, open: `${before}{`, close: `${texts.length === 0 ? after : ""}}${after}` };
  });
type Written = typeof written extends fc.Arbitrary<infer T> ? T : never;

function textOf({ texts, open, close }: Written, replaced: ReadonlyMap<string, string> = new Map()): string {
  const members = texts.map(({ name, lead, value, tail }) => lead + (replaced.get(name) ?? value) + tail);
  return open + members.join(",") + close;
}

test("a field that is there is set in its own place, and no other byte changes", () => {
  fc.assert(
    fc.property(
      written.filter(({ texts }) => texts.length > 0),
      fc.nat(),
      fc.jsonValue({ maxDepth: 2 }),
      (object, nth, value) => {
        const field = object.texts[nth % object.texts.length]?.name ?? "";
        const expected = textOf(object, new Map([[field, JSON.stringify(value)]]));
        expect(fromUtf8(withFields(read(textOf(object)), { [field]: value }))).toBe(expected);
      },
    ),
    { numRuns: 500 },
  );
});

test("the result is the object with the fields set, whatever it held", () => {
  fc.assert(
    fc.property(
      written,
      fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3, noNullPrototype: true }),
      (object, fields) => {
        const text = textOf(object);
        const result = fromUtf8(withFields(read(text), fields));
        expect(JSON.parse(result)).toEqual({ ...JSON.parse(text), ...JSON.parse(JSON.stringify(fields)) });
        // What was added stands at the front: all of the object's own text follows, save the values replaced.
        const replaced = new Map(
          Object.entries(fields).map(([field, value]) => [field, JSON.stringify(value)]),
        );
        expect(result.endsWith(textOf(object, replaced).slice(object.open.length))).toBe(true);
        expect(result.startsWith(object.open)).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});

test("without a field, the object is the rest of it, and the rest is written as it was", () => {
  fc.assert(
    fc.property(
      written.filter(({ texts }) => texts.length > 0),
      fc.nat(),
      (object, nth) => {
        const field = object.texts[nth % object.texts.length]?.name ?? "";
        const text = textOf(object);
        const result = fromUtf8(withoutField(read(text), field));
        const { [field]: _, ...rest } = JSON.parse(text);
        expect(JSON.parse(result)).toEqual(rest);
        for (const one of object.texts)
          if (one.name !== field) expect(result).toContain(one.lead + one.value);
      },
    ),
    { numRuns: 500 },
  );
});

test("the spans are where the values stand", () => {
  fc.assert(
    fc.property(written, (object) => {
      const { bytes, spans } = read(textOf(object));
      const found = [...spans].map(([field, [start, end]]) => [field, fromUtf8(bytes.subarray(start, end))]);
      expect(found).toEqual(object.texts.map(({ name, value }) => [name, value]));
    }),
    { numRuns: 500 },
  );
});

test("without a field that is not there, the bytes are the same bytes", () => {
  const object = read('{"a":1}');
  expect(withoutField(object, "b")).toBe(object.bytes);
});
