import { expect, test } from "bun:test";
import { readParallamaList } from "../../src/pricing/parallama-list.ts";

const HEAD = { source: "mine", sourceVersion: "3", generatedAt: "2026-11-22" };
const ENTRY = { provider: "openai", model: "m", input: "1.25", output: "10" };

function read(...models: readonly unknown[]) {
  const result = readParallamaList(JSON.stringify({ ...HEAD, models }));
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

test("amounts are read exactly, and every name has the price", () => {
  const { prices, skipped, source } = read({
    ...ENTRY,
    aliases: ["m-*"],
    perRequest: "0.000000001",
    cacheRead: "0.125",
    effectiveFrom: "2027-01-01",
    note: "of several",
  });
  const rates = { perRequest: 1n, input: 1_250_000_000n, output: 10_000_000_000n, cacheRead: 125_000_000n };
  const effectiveFromMs = Date.UTC(2027, 0, 1);
  expect(prices).toEqual([
    { provider: "openai", model: "m", effectiveFromMs, rates },
    { provider: "openai", model: "m-*", effectiveFromMs, rates },
  ]);
  expect(skipped).toEqual([]);
  expect(source).toBe("mine 3 2026-11-22");
});

const REFUSED: readonly [what: string, entry: unknown, reason: RegExp][] = [
  ["a number", { ...ENTRY, input: 1.25 }, /input: amounts are text/],
  ["a negative amount", { ...ENTRY, input: "-1" }, /input: not an amount/],
  ["NaN", { ...ENTRY, output: "NaN" }, /output: not an amount/],
  ["an exponent", { ...ENTRY, output: "1e3" }, /not an amount/],
  ["a tenth decimal", { ...ENTRY, output: "0.0000000001" }, /not an amount/],
  ["a huge amount", { ...ENTRY, output: "9".repeat(5000) }, /not an amount/],
  ["a field that is unknown", { ...ENTRY, inptu: "1" }, /inptu/],
  ["a missing price", { provider: "openai", model: "m", input: "1" }, /output/],
  ["a date that is none", { ...ENTRY, effectiveFrom: "2027-02-30" }, /effectiveFrom/],
  ["a provider that is none", { ...ENTRY, provider: "a/b" }, /provider's name/],
  ["an empty name", { ...ENTRY, model: "" }, /its name/],
  ["a control character", { ...ENTRY, model: "m\n" }, /its name/],
  ["no object", null, /expected object/],
];

for (const [what, entry, reason] of REFUSED) {
  test(`${what} skips the entry, and only it`, () => {
    const { prices, skipped } = read(entry, ENTRY);
    expect(prices.length).toBe(1);
    expect(skipped.map((each) => each.reason)).toEqual([expect.stringMatching(reason)]);
  });
}

test("an entry that is skipped is named as well as it can be", () => {
  const { skipped } = read({ provider: "openai", model: "known" }, { model: 7 });
  expect(skipped.map(({ provider, model }) => [provider, model])).toEqual([
    ["openai", "known"],
    [undefined, "entry 2"],
  ]);
});

test("a prototype key in an entry is an unknown field", () => {
  const text = `{"source":"mine","generatedAt":"2026-11-22","models":[{"__proto__":{"provider":"openai","model":"m","input":"1","output":"1"}}]}`;
  const result = readParallamaList(text);
  expect(result.ok && result.value.prices).toEqual([]);
  expect(result.ok && result.value.skipped.length).toBe(1);
});

test("a file that is no such list is refused as a whole", () => {
  const wrong = [
    "",
    "[]",
    "{}",
    `{"source":"mine","generatedAt":"2026-11-22","models":{}}`,
    `{"source":"set","generatedAt":"2026-11-22","models":[]}`,
    `{"source":"set by me","generatedAt":"2026-11-22","models":[]}`,
    `{"source":"mine","generatedAt":"today","models":[]}`,
    `{"source":"mine","generatedAt":"2026-11-22","models":[],"models":[]}`,
    `{"source":"mine","generatedAt":"2026-11-22","models":[${"[".repeat(50)}${"]".repeat(50)}]}`,
  ];
  for (const text of wrong) expect(readParallamaList(text).ok).toBe(false);
});
