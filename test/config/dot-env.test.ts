import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseDotEnv } from "../../src/config/dot-env.ts";

function valuesOf(text: string): Record<string, string> {
  return Object.fromEntries([...parseDotEnv(text).variables].map(([name, { value }]) => [name, value]));
}

const FILES: readonly [string, string, Record<string, string>][] = [
  ["a plain value", "A=1", { A: "1" }],
  ["spaces around it", "  A =  one two  ", { A: "one two" }],
  ["an empty value", "A=\nB= # nothing", { A: "", B: "" }],
  ["export", "export A=1\nexport\tB='2'", { A: "1", B: "2" }],
  ["comments", "# A=0\n  # B=0\nA=1 # one\nB=a#b", { A: "1", B: "a#b" }],
  ["an equals sign in the value", "A=b=c==", { A: "b=c==" }],
  ["double quotes", 'A="a # b" # c', { A: "a # b" }],
  ["escapes in double quotes", String.raw`A="a\n\t\"b\" \\ \$c"`, { A: 'a\n\t"b" \\ $c' }],
  ["single quotes are literal", String.raw`A='a\n"b" # c'`, { A: String.raw`a\n"b" # c` }],
  [
    "a value of several lines",
    'A="-----BEGIN\nb = c\n# d\n-----END"\nB=1',
    { A: "-----BEGIN\nb = c\n# d\n-----END", B: "1" },
  ],
  ["several lines in single quotes", "A='a\nb'", { A: "a\nb" }],
  ["Windows line ends", 'A=1\r\nB="2\r\n3"\r\n', { A: "1", B: "2\n3" }],
  ["a byte order mark", "\uFEFFA=1", { A: "1" }],
  ["the last assignment wins", "A=1\nA=2", { A: "2" }],
  ["references are left alone", `A=1\nB=\${A}`, { A: "1", B: `\${A}` }],
  ["quotes inside a plain value", `A=it's "so"`, { A: `it's "so"` }],
];

test.each(FILES)("%s", (_, text, expected) => {
  expect(valuesOf(text)).toEqual(expected);
});

test("each variable knows its line, also after a value of several lines", () => {
  const { variables } = parseDotEnv('\n# c\nA="1\n2"\nB=3');
  expect(variables.get("A")?.line).toBe(3);
  expect(variables.get("B")?.line).toBe(5);
});

test("what cannot be read is told by its line and without its text, and the rest is read", () => {
  const { variables, problems } = parseDotEnv('sk-live-canary\nA=\'canary\nB=2\nC="3" canary\n1X=canary');
  expect(Object.fromEntries(variables)).toEqual({ B: { value: "2", line: 3 }, C: { value: "3", line: 4 } });
  expect(problems.map(({ line }) => line)).toEqual([1, 2, 4, 5]);
  expect(JSON.stringify(problems)).not.toContain("canary");
});

test("any text that is quoted is read back as it was", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const value = text.replaceAll("\r", "");
      const quoted = value.replace(/[\\"]/g, (character) => `\\${character}`);
      expect(valuesOf(`A="${quoted}"\nB=1`)).toEqual({ A: value, B: "1" });
    }),
  );
});
