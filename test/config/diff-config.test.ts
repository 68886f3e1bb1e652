import { expect, test } from "bun:test";
import { diffConfig } from "../../src/config/diff-config.ts";
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
    ["data_dir", "database.path"],
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
