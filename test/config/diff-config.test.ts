import { expect, test } from "bun:test";
import { diffConfig, reloadedConfig } from "../../src/config/diff-config.ts";
import { describeKeys } from "../../src/config/schema-tree.ts";
import { configOf, type Given } from "./support.ts";

function diff(old: Given, current: Given) {
  return diffConfig(configOf(old), configOf(current));
}

const CHANGES: readonly [string, Given, Given, string[], string[]][] = [
  ["nothing", {}, {}, [], []],
  ["the same by another way", { yaml: "server: {port: 9}" }, { flags: { port: "9" } }, [], []],
  ["the level", {}, { env: { LOG_LEVEL: "debug" } }, ["logging.level"], []],
  ["the port", {}, { yaml: "server: {port: 9}" }, ["server.port"], ["server.port"]],
  [
    "what to listen at",
    { yaml: "server: {listen: ['a:1']}" },
    { yaml: "server: {listen: ['a:1', 'a:2'], host: '::1', drain_timeout: 1}" },
    ["server.drain_timeout", "server.host", "server.listen"],
    ["server.host", "server.listen"],
  ],
  [
    "the data directory, and what follows from it",
    {},
    { yaml: "data_dir: x" },
    ["data_dir", "database.path", "local.models_dir"],
    ["data_dir", "database.path", "local.models_dir"],
  ],
  ["the database", {}, { flags: { db: "x.db" } }, ["database.path"], ["database.path"]],
  [
    "a key of a provider",
    { env: { OPENAI_API_KEY: "a" } },
    { env: { OPENAI_API_KEY: "b" } },
    ["providers.openai.api_key"],
    [],
  ],
  ["the source of a key", { env: { OPENAI_API_KEY: "a" } }, { dotEnv: "OPENAI_API_KEY=a" }, [], []],
  ["a header", { yaml: "providers: {ollama: {headers: {a: x}}}" }, {}, ["providers.ollama.headers.a"], []],
  [
    "a model's target, by the model's name",
    { yaml: "models: [{name: a, targets: [ollama/x]}, {name: b, targets: [ollama/x]}]" },
    { yaml: "models: [{name: b, targets: [ollama/x]}, {name: a, targets: [ollama/y]}]" },
    ["models.a.targets"],
    [],
  ],
  [
    "a model that is new",
    {},
    { yaml: "models: [{name: a, targets: [ollama/x]}]" },
    ["models.a.active", "models.a.aliases", "models.a.name", "models.a.targets"],
    [],
  ],
  [
    "a local model that is new",
    {},
    { yaml: "models: [{name: a, config: {model_path: a.gguf}}]" },
    [
      "models.a.active",
      "models.a.aliases",
      "models.a.config.model_path",
      "models.a.config.preload",
      "models.a.name",
    ],
    [],
  ],
  [
    "a remote model's key",
    { yaml: "models: [{name: a, config: {api_url: 'https://x', api_key: k}}]" },
    { yaml: "models: [{name: a, config: {api_url: 'https://x', api_key: l}}]" },
    ["models.a.config.api_key"],
    [],
  ],
];

test.each(CHANGES)("a change of %s", (_, old, current, changed, needRestart) => {
  expect(diff(old, current)).toEqual({ changed, needRestart });
});

const BEFORE = `
models: [{name: a, config: {model_path: a.gguf}}]
`;
/** Another value of every key that needs a restart, and of some that do not. */
const AFTER = `
data_dir: elsewhere
server:
  host: "::1"
  port: 9
  listen: ["a:1"]
  max_body_bytes: 1MiB
  max_held_body_bytes: 2MiB
  max_json_depth: 9
  max_concurrent_requests: 9
  drain_timeout: 9s
database: {path: other.db}
ollama: {default_stream: false, base_url: "http://gpu:1"}
models:
  - {name: a, config: {model_path: b.gguf, preload: true}}
  - {name: b, config: {model_path: b.gguf}}
local:
  models_dir: gguf
  threads: 9
  gpu: auto
  slots: 9
  context_tokens: 999
  max_loaded_models: 9
  preload: [a]
pricing: {unpriced: free}
logging: {level: debug}
`;

test("after a reload, what needs a restart is as it was, and everything else is new", () => {
  const running = configOf({ yaml: BEFORE });
  const next = configOf({ yaml: AFTER });
  const { changed, needRestart } = diffConfig(running, next);
  const reloaded = reloadedConfig(running, next);
  expect(diffConfig(running, reloaded).needRestart).toEqual([]);
  expect(diffConfig(running, reloaded).changed).toEqual(changed.filter((key) => !needRestart.includes(key)));
  // What was not applied is told again at the next reload.
  expect(diffConfig(reloaded, next).changed).toEqual(needRestart);
});

test("every key that needs a restart is in the test above, save for what cannot change", () => {
  const { needRestart } = diffConfig(configOf({ yaml: BEFORE }), configOf({ yaml: AFTER }));
  const unchanging = ["server.workers", "database.url"];
  const marked = describeKeys().filter(({ path, meta }) => meta.needsRestart && !unchanging.includes(path));
  const inTest = marked.map(({ path }) => path.replace("models[]", "models.a"));
  expect(needRestart).toEqual(inTest.sort());
});
