import { expect, test } from "bun:test";
import { inspect } from "node:util";
import { redactedConfig } from "../../src/config/redacted-config.ts";
import { describeKeys } from "../../src/config/schema-tree.ts";
import { Secret } from "../../src/config/secret.ts";
import { configOf, errorsOf, type Given, load, loaded, warningsOf } from "./support.ts";

const CANARY = "sk-canary-0123456789-abcdefghij";

test("a secret turned into text by any means says only that it is one", () => {
  const secret = new Secret(CANARY, "env X");
  const texts = [
    String(secret),
    `${secret}`,
    `a${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: [{ secret }] }, { depth: 9, showHidden: true }),
    Bun.inspect(secret),
    Bun.inspect({ secret }),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify({ ...secret }),
    JSON.stringify(structuredCloneOrNothing(secret)),
    new Error("x", { cause: secret }).stack ?? "",
    Bun.YAML.stringify({ secret }),
  ];
  for (const text of texts) expect(text).not.toContain("canary");
  expect(String(secret)).toBe("[redacted]");
  expect(JSON.stringify({ secret })).toBe('{"secret":"[redacted]"}');
  expect(secret.reveal()).toBe(CANARY);
  expect(secret.equals(new Secret(CANARY, "elsewhere"))).toBe(true);
  expect(secret.equals(new Secret("x", "env X"))).toBe(false);
});

function structuredCloneOrNothing(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return null;
  }
}

/** Every place that a secret may be in. */
const SECRETS_EVERYWHERE: Given = {
  yaml: `
providers:
  clear: {type: openai-compatible, base_url: "https://x", api_key: ${CANARY}, headers: {X-Token: ${CANARY}, X-Plain: ${CANARY}}}
  reference: {type: anthropic, api_key: "\${REF}", headers: {Authorization: "Bearer \${REF}"}}
models:
  - name: remote
    config: {api_url: "https://y/v1", api_key: ${CANARY}}
hub: {token: ${CANARY}}
admin: {api_key: ${CANARY}}
`,
  env: { OPENAI_API_KEY: CANARY, REF: CANARY, ADMIN_API_KEY: CANARY },
  dotEnv: `ANTHROPIC_API_KEY=${CANARY}\nHF_TOKEN=${CANARY}\n`,
};

test("no secret is in anything that is rendered from a configuration", () => {
  const { config, sources, warnings } = loaded(SECRETS_EVERYWHERE);
  const rendered = [
    JSON.stringify(redactedConfig(config)),
    Bun.YAML.stringify(redactedConfig(config)),
    JSON.stringify(config, (_, value) => (typeof value === "bigint" ? String(value) : value)),
    inspect(config, { depth: 20, showHidden: true }),
    Bun.inspect(config),
    JSON.stringify([...sources]),
    JSON.stringify(warnings),
  ];
  for (const text of rendered) expect(text).not.toContain("canary");
  expect(redactedConfig(config)).toMatchObject({
    providers: {
      openai: { api_key: "[redacted: from env OPENAI_API_KEY]" },
      anthropic: { api_key: "[redacted: from .env:1 ANTHROPIC_API_KEY]" },
      clear: {
        api_key: "[redacted: from parallama.yaml:3]",
        headers: { "x-plain": "[redacted: from parallama.yaml:3]" },
      },
      reference: {
        api_key: "[redacted: from env REF]",
        headers: { authorization: "[redacted: from env REF]" },
      },
    },
    hub: { token: "[redacted: from .env:2 HF_TOKEN]" },
    admin: { api_key: "[redacted: from env ADMIN_API_KEY]" },
  });
});

test("a secret in clear gives a warning, except in a header that does not look like one", () => {
  expect(warningsOf(SECRETS_EVERYWHERE).map((warning) => warning.split(" @ ")[0])).toEqual([
    "providers.clear.api_key",
    "providers.clear.headers.X-Token",
    "models[0].config.api_key",
  ]);
});

const BROKEN: readonly [string, string][] = [
  ["broken YAML on its line", `providers:\n  a:\n    api_key: "${CANARY}\n`],
  ["a colon after it", `providers:\n  a:\n    api_key: ${CANARY}: x\n`],
  ["an alias", `providers:\n  a:\n    api_key: *${CANARY}\n`],
  ["a tag", `providers:\n  a:\n    api_key: !${CANARY} [\n`],
  ["a wrong indentation", `providers:\n  a:\n\tapi_key: ${CANARY}\n`],
  ["it stands where a key belongs", `providers:\n  openai:\n    ${CANARY}:\n      x: 1\n`],
  ["it stands as a provider's name", `providers:\n  "${CANARY}/": {type: ollama}\n`],
  ["it stands where a number belongs", `server: {port: ${CANARY}}`],
  ["it stands where a group belongs", `providers: {openai: ${CANARY}}`],
  ["it stands where a word belongs", `logging: {level: ${CANARY}, format: ${CANARY}}`],
  ["it stands in an address", `providers: {a: {type: openai-compatible, base_url: "https://${CANARY}@x"}}`],
  ["it stands in a query", `providers: {a: {type: openai-compatible, base_url: "https://x?key=${CANARY}"}}`],
  ["it stands in a reference", `providers: {openai: {api_key: "\${${CANARY}}"}}`],
  ["it follows an open reference", `providers: {openai: {api_key: "\${${CANARY}"}}`],
  ["a line break is in it", `providers: {openai: {api_key: "${CANARY}\\nx"}}`],
  ["it is a list", `providers: {openai: {api_key: [${CANARY}]}}`],
  ["it stands as a target", `models: [{name: a, targets: [${CANARY}, "${CANARY}/x"]}]`],
  ["it is a password of a database", `database: {url: "postgres://u:${CANARY}@h/d"}`],
  ["it stands where an amount belongs", `pricing: {unpriced: ${CANARY}}`],
];

test.each(BROKEN)("no error shows a secret when %s", (_, yaml) => {
  const result = load({ yaml });
  expect(result.ok).toBe(false);
  expect(JSON.stringify(result)).not.toContain("canary");
});

test("the same holds for variables", () => {
  const names = [
    "DATABASE_URL",
    "OLLAMA_BASE_URL",
    "OPENAI_BASE_URL",
    "LOG_LEVEL",
    "PARALLAMA_PORT",
    "HF_ENDPOINT",
  ];
  const env = Object.fromEntries(names.map((name) => [name, `postgres://${CANARY}@x y`]));
  const result = load({
    env: { ...env, OPENAI_API_KEY: `${CANARY} x`, ADMIN_API_KEY: "canary" },
    dotEnv: CANARY,
  });
  expect(result.ok ? 0 : result.errors.length).toBe(names.length + 2);
  expect(JSON.stringify(result)).not.toContain("canary");
});

test("a reference that cannot be resolved is an error that names the variable", () => {
  const yaml = `providers: {openai: {api_key: "\${MISSING_KEY}", headers: {X-A: "a \${ALSO_MISSING} b"}}}`;
  expect(errorsOf({ yaml, dotEnv: "MISSING_KEY=your_key_here" })).toEqual([
    "providers.openai.api_key @ parallama.yaml:1: refers to the variable MISSING_KEY, which is not set in the environment or .env",
    "providers.openai.headers.X-A @ parallama.yaml:1: refers to the variable ALSO_MISSING, which is not set in the environment or .env",
  ]);
});

test("a value from a variable is taken as it is, also with a dollar sign in it", () => {
  expect(configOf({ env: { HF_TOKEN: `a\${B}c` } }).hub.token?.reveal()).toBe(`a\${B}c`);
});

test.each([
  ["admin-api-key", "stands in public documents"],
  ["your-secure-admin-key", "stands in public documents"],
  ["OMNIMEMORY_ADMIN_KEY", "stands in public documents"],
  ["REPLACE-this-with-a-secure-admin-key", "stands in public documents"],
  ["01234567890123456789012", "at least 24 characters"],
])("the administrator's key %p is refused, save in dev mode", (value, reason) => {
  const env = { ADMIN_API_KEY: value };
  expect(errorsOf({ env })).toEqual([expect.stringContaining(reason)]);
  expect(configOf({ env, mode: "dev" }).admin.apiKey?.reveal()).toBe(value);
});

test("only kinds that are declared as shown are shown", () => {
  const hidden = describeKeys()
    .filter(({ meta, isGroup }) => !isGroup && !meta.isShown)
    .map(({ path }) => path);
  expect(hidden).toEqual([
    "database.url",
    "providers.<name>.api_key",
    "models[].config.api_key",
    "hub.token",
    "admin.api_key",
  ]);
});
