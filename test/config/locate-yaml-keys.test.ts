import { expect, test } from "bun:test";
import { YAML } from "bun";
import fc from "fast-check";
import { formatKeyPath, type KeyPath } from "../../src/config/key-path.ts";
import { locateYamlKeys } from "../../src/config/locate-yaml-keys.ts";

const SAMPLE = `# comment
server:
  port: 1   # port: 2
  listen:
  - "a: b"
  - b
database: {path: x}

providers:
  "azure": &x
    headers:
      X-Y: |
        port: 3
        port: 4
    base_url: "a
      foo: x
      b"
    note: plain
      - text: on
  b: *x
models:
  - name: a
    targets:
      - provider: p
        model: m
      - x/y
    aliases: [
      a
    ]
  -
    name: b
  - - deep: 1
`;

test("each key in block style is found on its line", () => {
  const { lines, repeated } = locateYamlKeys(SAMPLE);
  expect(repeated).toEqual([]);
  expect(Object.fromEntries(lines)).toEqual({
    server: 2,
    "server.port": 3,
    "server.listen": 4,
    "server.listen[0]": 5,
    "server.listen[1]": 6,
    database: 7,
    providers: 9,
    "providers.azure": 10,
    "providers.azure.headers": 11,
    "providers.azure.headers.X-Y": 12,
    "providers.azure.base_url": 15,
    "providers.azure.note": 18,
    "providers.b": 20,
    models: 21,
    "models[0]": 22,
    "models[0].name": 22,
    "models[0].targets": 23,
    "models[0].targets[0]": 24,
    "models[0].targets[0].provider": 24,
    "models[0].targets[0].model": 25,
    "models[0].targets[1]": 26,
    "models[0].aliases": 27,
    "models[1]": 30,
    "models[1].name": 31,
    "models[2]": 32,
    "models[2][0]": 32,
    "models[2][0].deep": 32,
  });
});

test("a key that stands twice is found, though the parser takes the last", () => {
  const { repeated } = locateYamlKeys("a:\n  b: 1\n  c: 2\n  b: 3\nd:\n  b: 4\n");
  expect(repeated).toEqual([{ path: ["a", "b"], line: 4, firstLine: 2 }]);
});

test("in any tree that Bun writes, every key is found where the parser sees it", () => {
  const key = fc.constantFrom("a", "b-c", "d_e", "port", "x y", "0");
  const leaf = fc.oneof(fc.constantFrom("v", "a: b", "- x", "", "#", "1"), fc.integer(), fc.boolean());
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.dictionary(key, tie("tree"), { minKeys: 1, maxKeys: 3 }),
      fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, tree, { minKeys: 1 }), (value) => {
      const text = YAML.stringify(value, null, 2);
      const { lines, repeated } = locateYamlKeys(text);
      expect(repeated).toEqual([]);
      const expected = pathsOf(YAML.parse(text), []).map(formatKeyPath);
      expect([...lines.keys()].sort()).toEqual(expected.sort());
    }),
  );
});

function pathsOf(value: unknown, path: KeyPath): KeyPath[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const at = [...path, Array.isArray(value) ? Number(key) : key];
    return [at, ...pathsOf(child, at)];
  });
}

test("no text makes it fail", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab:-\n #'\"[]{}|>&*!? ") }), (text) => {
      locateYamlKeys(text);
    }),
  );
});
