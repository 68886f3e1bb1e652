import { expect, test } from "bun:test";
import fc from "fast-check";
import { nearest } from "../../src/config/nearest.ts";
import { describeKeys } from "../../src/config/schema-tree.ts";
import { errorsOf, load } from "./support.ts";

const FILES: readonly [string, string, string[]][] = [
  [
    "an unknown key",
    "server:\n  prot: 1",
    ["server.prot @ parallama.yaml:2: unknown key; did you mean `port`?"],
  ],
  [
    "a key in camelCase",
    "server:\n  maxBodyBytes: 1",
    ["server.maxBodyBytes @ parallama.yaml:2: unknown key; did you mean `max_body_bytes`?"],
  ],
  [
    "a key in the wrong place",
    "x:\nport: 8000",
    ["port @ parallama.yaml:2: unknown key at the top; did you mean `server.port`?"],
  ],
  [
    "a key that is like no other",
    "database:\n  zzzzzzzzz: h",
    ["database.zzzzzzzzz @ parallama.yaml:2: unknown key; known here: path, url"],
  ],
  [
    "an unknown key deep inside",
    "providers:\n  azure:\n    type: ollama\n    base_url: gpu\n    timeouts:\n      idel: 3",
    ["providers.azure.timeouts.idel @ parallama.yaml:6: unknown key; did you mean `idle`?"],
  ],
  [
    "an unknown key in braces",
    "server:\n  port: 1\nlogging: {leve: info}",
    ["logging.leve @ parallama.yaml:3: unknown key; did you mean `level`?"],
  ],
  [
    "a wrong type",
    "server:\n  port: []",
    ["server.port @ parallama.yaml:2: expected a whole number from 0 to 65535, got a list"],
  ],
  [
    "a value out of bounds",
    "server: {port: 65536}",
    ["server.port @ parallama.yaml:1: expected a whole number from 0 to 65535"],
  ],
  [
    "more processes than one",
    "server: {workers: 2}",
    [
      "server.workers @ parallama.yaml:1: more than 1 needs PostgreSQL and Redis, which come in a later version",
    ],
  ],
  [
    "a fraction",
    "server: {workers: 1.5}",
    ["server.workers @ parallama.yaml:1: expected a whole number from 1 to 256"],
  ],
  [
    "a word for a boolean",
    "logging: {access: yes}",
    ["logging.access @ parallama.yaml:1: expected true or false, got text"],
  ],
  [
    "a number for text",
    "models:\n  - name: 3\n    targets: [ollama/a]",
    ["models[0].name @ parallama.yaml:2: expected text, got a number; put it in quotes"],
  ],
  [
    "a word that is not in the list",
    "logging:\n  format: xml",
    ['logging.format @ parallama.yaml:2: expected "auto", "json" or "text"'],
  ],
  [
    "a name that every object has",
    "logging:\n  level: constructor",
    ['logging.level @ parallama.yaml:2: expected "trace", "debug", "info", "warning", "error" or "fatal"'],
  ],
  [
    "a bad duration",
    "server: {drain_timeout: 10x}",
    [
      'server.drain_timeout @ parallama.yaml:1: expected a duration such as "10s", "500ms" or "5m", or a number of seconds, up to 24 days',
    ],
  ],
  [
    "a size too small",
    "logging: {max_size: 12}",
    [
      'logging.max_size @ parallama.yaml:1: expected a size such as "32MiB" or a number of bytes, at least 4096',
    ],
  ],
  ["text for a group", "server: fast", ["server @ parallama.yaml:1: expected keys and values, got text"]],
  [
    "a group for a list",
    "models: {a: {}}",
    ["models @ parallama.yaml:1: expected a list, got keys and values"],
  ],
  [
    "a bad address to listen at",
    "server:\n  listen:\n    - 127.0.0.1:1\n    - x",
    ['server.listen[1] @ parallama.yaml:4: expected "host:port", such as "127.0.0.1:8001" or "[::1]:8001"'],
  ],
  [
    "a provider's name",
    "providers:\n  a/b: {type: ollama}",
    ['providers."a/b" @ parallama.yaml:2: a provider\'s name consists of letters, digits, - and _'],
  ],
  [
    "a list as the whole file",
    "- a",
    [' @ parallama.yaml: expected keys and values (one document), such as "server:"'],
  ],
  [
    "two documents",
    "a: 1\n---\nb: 1",
    [' @ parallama.yaml: expected keys and values (one document), such as "server:"'],
  ],
  [
    "the same key twice",
    "server:\n  port: 1\n  port: 2\n",
    ["server.port @ parallama.yaml:3: the key stands here a second time; the first is on line 2"],
  ],
  [
    "the same group twice",
    "server:\n  port: 1\nserver:\n  port: 2\n",
    ["server @ parallama.yaml:3: the key stands here a second time; the first is on line 1"],
  ],
  [
    "broken YAML",
    "server:\n  port: 1\n\nlogging: [a, b\nhub: x\n",
    [" @ parallama.yaml:4: this is not valid YAML, on or after this line (unexpected token)"],
  ],
  [
    "a text that refers to itself",
    "a: &a\n  b: *a",
    [" @ parallama.yaml: the file is nested too deeply or refers to itself"],
  ],
  [
    "two names of the database",
    "database: {path: a, url: b}",
    ["database.url @ parallama.yaml:1: give either `path` or `url`, not both"],
  ],
  [
    "bounds that exclude each other",
    "server: {max_body_bytes: 512MiB}",
    [
      "server.max_held_body_bytes @ parallama.yaml:1: must not be less than `max_body_bytes`: a body of that size could never be accepted",
    ],
  ],
];

test.each(FILES)("%s", (_, yaml, errors) => {
  expect(errorsOf({ yaml })).toEqual(errors);
});

test("a key named __proto__ is unknown like any other", () => {
  expect(errorsOf({ yaml: "__proto__: {server: {port: 1}}" }).join()).toContain("__proto__");
  expect(errorsOf({ yaml: "server:\n  __proto__: {port: 1}" }).join()).toContain("server.__proto__");
  expect(errorsOf({ yaml: "providers:\n  constructor: {}" })).toEqual([
    "providers.constructor.type @ parallama.yaml:2: required: what the provider speaks (openai-compatible, anthropic or ollama)",
  ]);
});

test("values from variables and flags are checked too, and their source is named", () => {
  const given = { env: { LOG_LEVEL: "loud" }, dotEnv: "\nOLLAMA_BASE_URL=ftp://x", flags: { port: "http" } };
  expect(errorsOf(given)).toEqual([
    "server.port @ flag --port: expected a whole number from 0 to 65535",
    "ollama.base_url @ .env:2 OLLAMA_BASE_URL: expected an address that starts with http:// or https://",
    'logging.level @ env LOG_LEVEL: expected "trace", "debug", "info", "warning", "error" or "fatal"',
  ]);
});

test("all errors are told at once: of types, of keys, and of what belongs together", () => {
  const yaml = `
server: {prt: 1}
providers:
  azure: {type: openai, api_key: "\${AZURE_KEY}"}
  other: {}
models:
  - name: x
    targets: [azur/foo, nope]
  - nme: z
  - name: y
    aliases: [x]
    targets: [ollama/a]
pricing: {unpriced: -1}
`;
  const keys = errorsOf({ yaml, env: { DATABASE_URL: "postgres://x", ADMIN_API_KEY: "short" } }).map(
    (error) => error.split(" @ ")[0] ?? "",
  );
  expect(keys.sort()).toEqual(
    [
      "admin.api_key",
      "database.url",
      "models[0].targets[0].provider",
      "models[0].targets[1]",
      "models[1].name",
      "models[1].nme",
      "models[2].aliases[0]",
      "pricing.unpriced",
      "providers.azure.api_key",
      "providers.azure.base_url",
      "providers.other.type",
      "server.prt",
    ].sort(),
  );
});

test("what follows from an error is not told again", () => {
  const yaml = `
providers:
  a: {type: openai-compatible, base_url: nonsense://}
  b: 3
models:
  - {name: x, targets: [b/m]}
  - {name: y, config: {api_url: nonsense}}
  - {name: z, targets: 3}
`;
  expect(errorsOf({ yaml }).map((error) => error.split(" @ ")[0])).toEqual([
    "providers.a.base_url",
    "providers.b",
    "models[1].config.api_url",
    "models[2].targets",
  ]);
});

test("whatever stands in the file, loading returns and does not throw", () => {
  const keys = [...new Set(describeKeys().flatMap(({ path }) => path.split(/[.[\]]+/)))].filter(
    (key) => key !== "",
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(
        "openai/x",
        "local",
        "http://x",
        `\${A}`,
        "",
        "10s",
        "ollama",
        "auto",
        "\u0000",
        "__proto__",
      ),
      fc.oneof(fc.double(), fc.boolean(), fc.constant(null)),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("tree"), { maxKeys: 4 }),
    ),
  }));
  const top = fc.dictionary(fc.constantFrom(...keys), tree, { maxKeys: 5 });
  fc.assert(
    fc.property(top, (value) => {
      const result = load({ yaml: JSON.stringify(value) });
      expect(result.ok || result.errors.length > 0).toBe(true);
    }),
    { numRuns: 400 },
  );
});

test.each([
  ["prot", ["port", "path"], "port"],
  ["baseUrl", ["base_url", "api_key"], "base_url"],
  ["first-byte", ["first_byte", "idle"], "first_byte"],
  ["zimeouts", ["timeouts", "type"], "timeouts"],
  ["qqqqqq", ["port", "host"], undefined],
  ["x", [], undefined],
] as const)("the nearest to %p of %p is %p", (word, candidates, expected) => {
  expect(nearest(word, candidates)).toBe(expected);
});
