import { describe, expect, test } from "bun:test";
import { readJsonObject } from "../../src/core/json-object.ts";
import { utf8 } from "../support/bytes.ts";

const read = (text: string, maxDepth = 10) => readJsonObject(utf8(text), maxDepth);

/** The text of each field's value, by where it is said to lie. */
function values(text: string): Record<string, string> {
  const result = read(text);
  if (!result.ok) throw new Error(result.error.message);
  const { bytes, spans } = result.value;
  const decoder = new TextDecoder();
  return Object.fromEntries(
    [...spans].map(([name, [start, end]]) => [name, decoder.decode(bytes.subarray(start, end))]),
  );
}

test.each<[string, Record<string, string>]>([
  ["{}", {}],
  [' { "a" : 1 } ', { a: "1" }],
  ['{"a":"x, \\"}\\" ]","b":null}', { a: '"x, \\"}\\" ]"', b: "null" }],
  ['{"a":{"b":[1,{"c":"}"}]},"d":[ ]}', { a: '{"b":[1,{"c":"}"}]}', d: "[ ]" }],
  ['{"ключ":"значение","😀":1.5e-3}', { ключ: '"значение"', "😀": "1.5e-3" }],
  ['{"a\\u0062":true}', { ab: "true" }],
  ['{"":0}', { "": "0" }],
  ['{"a":"\\\\"}', { a: '"\\\\"' }],
  ['{"a":-0,\n\t"b":false\r}', { a: "-0", b: "false" }],
])("finds the fields of %s", (text, fields) => {
  expect(values(text)).toEqual(fields);
});

describe("refuses", () => {
  test.each([
    ["", "no body"],
    ["   ", "not valid JSON"],
    ["{", "not valid JSON"],
    ["{'a':1}", "not valid JSON"],
    ['{"a":1,}', "not valid JSON"],
    ['{"a":1}x', "not valid JSON"],
    ['{"a":NaN}', "not valid JSON"],
    ["[]", "must be a JSON object"],
    ["null", "must be a JSON object"],
    ['"text"', "must be a JSON object"],
    ['{"model":"a","model":"b"}', "'model' is given twice"],
    ['{"model":"a","mod\\u0065l":"b"}', "'model' is given twice"],
  ])("%p", (text, message) => {
    expect(read(text)).toMatchObject({
      ok: false,
      error: { kind: "bad_request", message: expect.stringContaining(message) },
    });
  });

  test("what is not UTF-8", () => {
    expect(readJsonObject(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 10)).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("not valid UTF-8") },
    });
  });

  test("a field given twice by a name that is fit to be shown", () => {
    const name = "\\u0007".repeat(3) + "x".repeat(100);
    const result = read(`{"${name}":1,"${name}":2}`);
    expect(result).toMatchObject({ ok: false, error: { param: `???${"x".repeat(61)}` } });
  });
});

describe("depth", () => {
  const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;

  test("up to the bound is fine, beyond is refused", () => {
    expect(read(nested(10)).ok).toBe(true);
    expect(read(nested(11))).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining("deeper than 10") },
    });
  });

  test("inside of a text does not count", () => {
    expect(read(`{"a":"${"[{".repeat(100)}"}`).ok).toBe(true);
    expect(read(`{"a":"\\"${"[{".repeat(100)}"}`).ok).toBe(true);
  });

  test("of a million levels is refused without being followed", () => {
    expect(read("[".repeat(1_000_000)).ok).toBe(false);
  });
});

test("a field twice further down is the provider's to judge", () => {
  expect(read('{"a":{"b":1,"b":2}}').ok).toBe(true);
});
