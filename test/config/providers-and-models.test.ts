import { expect, test } from "bun:test";
import { parseApiUrl, parseBaseUrl, parseOllamaUrl } from "../../src/config/base-url.ts";
import { Problem } from "../../src/config/problem.ts";
import { configOf, errorsOf, providerOf, warningsOf } from "./support.ts";

const BASE_URLS: readonly [string, string | undefined][] = [
  ["https://api.example.com/v1", "https://api.example.com/v1"],
  ["https://api.example.com/v1//", "https://api.example.com/v1"],
  [" HTTP://Example.com:80/ ", "http://example.com"],
  ["http://[::1]:8080", "http://[::1]:8080"],
  ["https://u:p@example.com", undefined],
  ["https://u@example.com", undefined],
  ["https://example.com/?a=1", undefined],
  ["https://example.com/?", undefined],
  ["https://example.com/#a", undefined],
  ["ftp://example.com", undefined],
  ["file:///etc/passwd", undefined],
  ["example.com/v1", undefined],
  ["https://", undefined],
  ["http://169.254.169.254/latest", undefined],
  ["http://[fe80::1]/", undefined],
  ["http://[::ffff:169.254.169.254]/", undefined],
  ["http://metadata.google.internal", undefined],
  ["http://0xa9fea9fe/", undefined],
];

test.each(BASE_URLS)("the address %p is read as %p", (text, expected) => {
  const parsed = parseBaseUrl(text);
  expect(parsed instanceof Problem ? undefined : parsed).toBe(expected);
});

test.each([
  ["localhost:11434", "http://localhost:11434"],
  ["localhost", "http://localhost:11434"],
  [":11500", "http://127.0.0.1:11500"],
  ["0.0.0.0:11434", "http://127.0.0.1:11434"],
  ["http://0.0.0.0:11434/", "http://127.0.0.1:11434"],
  ["[::1]:11434", "http://[::1]:11434"],
  ["gpu-box/ollama/", "http://gpu-box:11434/ollama"],
  ["https://ollama.example", "https://ollama.example"],
  ["http://ollama:11434", "http://ollama:11434"],
])("Ollama's address %p is read as %p", (text, expected) => {
  expect(parseOllamaUrl(text)).toBe(expected);
});

test("the path of an endpoint is cut off an api_url", () => {
  expect(parseApiUrl("https://api.example.com/v1/completions")).toBe("https://api.example.com/v1");
  expect(parseApiUrl("https://api.example.com/v1/chat/completions/")).toBe("https://api.example.com/v1");
  expect(parseApiUrl("https://api.example.com/v1")).toBe("https://api.example.com/v1");
});

test("a configured provider, with everything", () => {
  const yaml = `
providers:
  azure:
    type: openai-compatible
    base_url: https://azure.example/v1/
    api_key: \${AZURE_KEY}
    headers:
      X-Org: acme
      Authorization: Bearer \${AZURE_TOKEN}
    billing: free
    timeouts: {connect: 500ms, first_byte: 1m, idle: 30, total: 2h}
    models: [gpt-4o]
`;
  const given = { yaml, env: { AZURE_KEY: "k" }, dotEnv: "AZURE_TOKEN=t" };
  const azure = providerOf(configOf(given), "azure");
  expect(azure).toMatchObject({
    type: "openai-compatible",
    baseUrl: "https://azure.example/v1",
    billing: "free",
    timeouts: { connectMs: 500, firstByteMs: 60_000, idleMs: 30_000, totalMs: 7_200_000 },
    models: ["gpt-4o"],
    declaredBy: "configured",
  });
  expect(azure.apiKey?.reveal()).toBe("k");
  expect(azure.apiKey?.origin).toBe("env AZURE_KEY");
  expect(Object.keys(azure.headers)).toEqual(["x-org", "authorization"]);
  expect(azure.headers["x-org"]?.reveal()).toBe("acme");
  expect(azure.headers.authorization?.reveal()).toBe("Bearer t");
  expect(azure.headers.authorization?.origin).toBe(".env:1 AZURE_TOKEN");
  expect(warningsOf(given)).toEqual([]);
});

test("a built-in provider keeps its defaults where the file says nothing", () => {
  const config = configOf({
    yaml: "providers:\n  openai: {timeouts: {idle: 5s}}\n  ollama: {billing: paid}\n  local: {timeouts: {first_byte: 9m}}",
    env: { OPENAI_API_KEY: "sk-o", OLLAMA_BASE_URL: "gpu:1" },
  });
  const openai = providerOf(config, "openai");
  expect(openai).toMatchObject({
    type: "openai-compatible",
    baseUrl: "https://api.openai.com/v1",
    declaredBy: "configured",
  });
  expect(openai.timeouts.idleMs).toBe(5000);
  expect(openai.apiKey?.reveal()).toBe("sk-o");
  expect(providerOf(config, "ollama")).toMatchObject({ baseUrl: "http://gpu:1", billing: "paid" });
  expect(providerOf(config, "local")).toMatchObject({ baseUrl: null, timeouts: { firstByteMs: 540_000 } });
  expect(config.providers.map((provider) => provider.name)).toEqual([
    "ollama",
    "openai",
    "anthropic",
    "local",
  ]);
});

test("a key from the environment never reaches an address that the file names", () => {
  const given = {
    yaml: "providers:\n  openai: {base_url: 'https://proxy.example/v1'}\n  ollama: {base_url: 'http://gpu:1'}",
    env: { OPENAI_API_KEY: "sk-canary", OLLAMA_BASE_URL: "http://other:1" },
  };
  const config = configOf(given);
  expect(providerOf(config, "openai")).toMatchObject({ baseUrl: "https://proxy.example/v1", apiKey: null });
  expect(providerOf(config, "ollama").baseUrl).toBe("http://gpu:1");
  expect(warningsOf(given)).toEqual([
    "ollama.base_url @ env OLLAMA_BASE_URL: not used, for `providers.ollama.base_url` is set in the file",
    "providers.openai.api_key @ env OPENAI_API_KEY: not used, for `providers.openai.base_url` is set in the file",
  ]);
});

test("Ollama by host and port, or by address; a variable replaces them", () => {
  const yaml = "ollama: {host: gpu, port: 1, default_stream: false}";
  expect(configOf({ yaml }).ollama.defaultStream).toBe(false);
  expect(providerOf(configOf({ yaml }), "ollama").baseUrl).toBe("http://gpu:1");
  expect(providerOf(configOf({ yaml: "ollama: {host: '::1'}" }), "ollama").baseUrl).toBe(
    "http://[::1]:11434",
  );
  expect(providerOf(configOf({ yaml: "ollama: {port: 2}" }), "ollama").baseUrl).toBe("http://localhost:2");
  expect(providerOf(configOf({ yaml, env: { OLLAMA_BASE_URL: "x:3" } }), "ollama").baseUrl).toBe(
    "http://x:3",
  );
  expect(errorsOf({ yaml: "ollama: {host: gpu, base_url: 'http://x'}" })).toEqual([
    "ollama.base_url @ parallama.yaml:1: give either `base_url`, or `host` and `port`",
  ]);
});

const BAD_PROVIDERS: readonly [string, string, string][] = [
  ["no type", "a: {base_url: 'http://x'}", "providers.a.type"],
  ["no address", "a: {type: openai-compatible}", "providers.a.base_url"],
  ["no scheme", "a: {type: openai-compatible, base_url: 'x.example/v1'}", "providers.a.base_url"],
  ["another type under a built-in name", "openai: {type: ollama}", "providers.openai.base_url"],
  ["a second local", "a: {type: local}", "providers.a.type"],
  ["a local that is not", "local: {type: ollama, base_url: gpu}", "providers.local.type"],
  ["a local with an address", "local: {base_url: 'http://x'}", "providers.local.base_url"],
  [
    "this server itself",
    "a: {type: openai-compatible, base_url: 'http://localhost:8000/v1'}",
    "providers.a.base_url",
  ],
  ["a reserved header", "ollama: {headers: {Host: x}}", "providers.ollama.headers.Host"],
  ["a header twice", "ollama: {headers: {X-A: x, x-a: y}}", "providers.ollama.headers.x-a"],
  ["a header's name", "ollama: {headers: {'a b': x}}", 'providers.ollama.headers."a b"'],
  ["a line break in a header", 'ollama: {headers: {X-A: "x\\ny"}}', "providers.ollama.headers.X-A"],
  ["a space in a key", "anthropic: {api_key: 'a b'}", "providers.anthropic.api_key"],
  ["a timeout of zero", "ollama: {timeouts: {idle: 0}}", "providers.ollama.timeouts.idle"],
];

test.each(BAD_PROVIDERS)("a provider with %s is refused", (_, yaml, key) => {
  expect(errorsOf({ yaml: `providers:\n  ${yaml}` }).map((error) => error.split(" @ ")[0])).toEqual([key]);
});

test("a key that is sent over the network unencrypted gives a warning; on this machine it does not", () => {
  const at = (url: string) => ({
    yaml: `providers: {a: {type: openai-compatible, base_url: "${url}", api_key: "\${K}"}}`,
    env: { K: "k" },
  });
  expect(warningsOf(at("http://api.example.com/v1"))).toEqual([
    "providers.a.base_url @ parallama.yaml:1: the key is sent over the network unencrypted; use https",
  ]);
  for (const url of [
    "https://api.example.com",
    "http://127.0.0.1:1",
    "http://10.0.0.1",
    "http://vllm:8000",
  ]) {
    expect(warningsOf(at(url))).toEqual([]);
  }
});

test("models by targets, in both spellings", () => {
  const yaml = `
models:
  - name: chat
    id: 3
    aliases: [default]
    targets: [ollama/llama3.2, "openai/ft:gpt/x", {provider: local, model: "hf:a/b:Q4"}]
    active: false
`;
  expect(configOf({ yaml }).models).toEqual([
    {
      name: "chat",
      id: 3,
      aliases: ["default"],
      targets: [
        { provider: "ollama", model: "llama3.2" },
        { provider: "openai", model: "ft:gpt/x" },
        { provider: "local", model: "hf:a/b:Q4" },
      ],
      preload: false,
      active: false,
    },
  ]);
});

test("models by config: a local one, and a remote one with a provider of its own", () => {
  const yaml = `
models:
  - name: gpt2
    config: {model_path: models/gpt2.gguf, preload: true}
  - name: remote
    config:
      api_url: https://api.example.com/v1/completions
      api_key: \${REMOTE_KEY}
      model_name: big
      preload: false
`;
  const config = configOf({ yaml, env: { REMOTE_KEY: "k" } });
  expect(config.models.map(({ name, targets, preload }) => ({ name, targets, preload }))).toEqual([
    { name: "gpt2", targets: [{ provider: "local", model: "models/gpt2.gguf" }], preload: true },
    { name: "remote", targets: [{ provider: "model:remote", model: "big" }], preload: false },
  ]);
  const provider = providerOf(config, "model:remote");
  expect(provider).toMatchObject({
    type: "openai-compatible",
    baseUrl: "https://api.example.com/v1",
    billing: "paid",
    models: ["big"],
    declaredBy: "model",
  });
  expect(provider.apiKey?.reveal()).toBe("k");
});

test("the documented sample of a key counts as not given, with a warning", () => {
  const yaml =
    "models: [{name: m, config: {api_url: 'https://x/v1/completions', api_key: your_api_key, model_name: m, preload: false}}]";
  expect(providerOf(configOf({ yaml }), "model:m").apiKey).toBeNull();
  expect(warningsOf({ yaml })).toEqual([
    "models[0].config.api_key @ parallama.yaml:1: this is a placeholder and counts as not given",
  ]);
});

const BAD_MODELS: readonly [string, string, string][] = [
  [
    "no way to run",
    "{name: a}",
    "models[0].targets @ parallama.yaml:2: required: where the model runs, as `targets` or `config`",
  ],
  [
    "no targets",
    "{name: a, targets: []}",
    "models[0].targets @ parallama.yaml:2: expected at least one target",
  ],
  [
    "both ways",
    "{name: a, targets: [ollama/a], config: {model_path: x}}",
    "models[0].targets @ parallama.yaml:2: give either `targets` or `config`, not both",
  ],
  [
    "an empty config",
    "{name: a, config: {preload: true}}",
    "models[0].config @ parallama.yaml:2: expected exactly one of `model_path` and `api_url`",
  ],
  [
    "a file and an address",
    "{name: a, config: {model_path: x, api_url: 'https://x'}}",
    "models[0].config @ parallama.yaml:2: expected exactly one of `model_path` and `api_url`",
  ],
  [
    "a key without an address",
    "{name: a, config: {model_path: x, model_name: y}}",
    "models[0].config.model_name @ parallama.yaml:2: this belongs to `api_url`, which is missing",
  ],
  [
    "an unknown provider",
    "{name: a, targets: [openia/x]}",
    "models[0].targets[0].provider @ parallama.yaml:2: there is no provider of this name; did you mean `openai`?",
  ],
  [
    "a name without a provider",
    "{name: a, targets: [gpt-4o]}",
    'models[0].targets[0] @ parallama.yaml:2: expected "provider/model" or keys and values, got text',
  ],
];

test.each(BAD_MODELS)("a model with %s is refused", (_, yaml, error) => {
  expect(errorsOf({ yaml: `models:\n  - ${yaml}` })).toEqual([error]);
});

test("names, aliases and ids are unique, and :latest makes no difference", () => {
  const yaml = `models:
  - {name: llama2, id: 1, aliases: [x], targets: [ollama/a]}
  - {name: "llama2:latest", id: 1, targets: [ollama/a]}
  - {name: b, aliases: [x, b], targets: [ollama/a]}`;
  expect(errorsOf({ yaml })).toEqual([
    "models[1].name @ parallama.yaml:3: the name is taken by `models[0]`",
    "models[1].id @ parallama.yaml:3: the id is taken by `models[0]`",
    "models[2].aliases[0] @ parallama.yaml:4: the name is taken by `models[0]`",
    "models[2].aliases[1] @ parallama.yaml:4: the name is taken by `models[2]`",
  ]);
});

test("a target must be among the models that its provider is limited to", () => {
  const yaml =
    "providers:\n  ollama: {models: ['a:latest']}\nmodels:\n  - {name: m, targets: [ollama/a, ollama/b]}";
  expect(errorsOf({ yaml })).toEqual([
    "models[0].targets[1].model @ parallama.yaml:4: `providers.ollama.models` does not list it",
  ]);
});
