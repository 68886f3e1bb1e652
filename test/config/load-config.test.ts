import { expect, test } from "bun:test";
import fc from "fast-check";
import { loadConfig } from "../../src/config/load-config.ts";
import { redactedConfig } from "../../src/config/redacted-config.ts";
import { configOf, errorsOf, type Given, load, loaded, providerOf, warningsOf } from "./support.ts";

test("without any source, everything has its default", () => {
  const { config, sources, warnings } = loaded({});
  expect(warnings).toEqual([]);
  expect(sources.size).toBe(0);
  expect(config).toMatchObject({
    mode: "production",
    dataDir: "/work/data",
    server: {
      host: "0.0.0.0",
      port: 8000,
      listen: [],
      workers: 1,
      maxBodyBytes: 33_554_432,
      maxHeldBodyBytes: 268_435_456,
      maxJsonDepth: 128,
      maxConcurrentRequests: 4096,
      drainTimeoutMs: 30_000,
    },
    database: { kind: "sqlite", path: "/work/data/parallama.db" },
    ollama: { defaultStream: true },
    models: [],
    local: {
      modelsDir: "/work/data/models",
      threads: "auto",
      gpu: false,
      slots: 4,
      contextTokens: null,
      maxLoadedModels: 2,
      preload: [],
    },
    pricing: { unpriced: { kind: "refuse" } },
    logging: {
      level: "info",
      format: "auto",
      dir: null,
      maxBytes: 104_857_600,
      backupCount: 10,
      access: true,
    },
    hub: { baseUrl: "https://huggingface.co", token: null },
    admin: { apiKey: null },
  });
  expect(
    config.providers.map(({ name, type, baseUrl, billing, apiKey }) => ({
      name,
      type,
      baseUrl,
      billing,
      apiKey,
    })),
  ).toEqual([
    { name: "ollama", type: "ollama", baseUrl: "http://localhost:11434", billing: "free", apiKey: null },
    {
      name: "openai",
      type: "openai-compatible",
      baseUrl: "https://api.openai.com/v1",
      billing: "paid",
      apiKey: null,
    },
    {
      name: "anthropic",
      type: "anthropic",
      baseUrl: "https://api.anthropic.com",
      billing: "paid",
      apiKey: null,
    },
    { name: "local", type: "local", baseUrl: null, billing: "free", apiKey: null },
  ]);
  expect(providerOf(config, "openai")).toMatchObject({
    timeouts: { connectMs: 10_000, firstByteMs: 300_000, idleMs: 120_000, totalMs: 3_600_000 },
    headers: {},
    models: null,
    declaredBy: "built-in",
  });
});

test("dev mode binds loopback and adds a second port that may be busy", () => {
  expect(configOf({ mode: "dev" }).server).toMatchObject({
    host: "127.0.0.1",
    port: 8000,
    listen: [{ host: "127.0.0.1", port: 8001, required: false }],
  });
  expect(configOf({ mode: "dev", flags: { port: 8001 } }).server.listen).toEqual([]);
  const own = configOf({
    mode: "dev",
    yaml: "server: {host: 0.0.0.0, listen: ['[::1]:9000', '0.0.0.0:8000']}",
  }).server;
  expect(own).toMatchObject({ host: "0.0.0.0", listen: [{ host: "::1", port: 9000, required: true }] });
});

const LAYERS: readonly [string, Given, number, string][] = [
  ["the file", {}, 1001, "parallama.yaml:1"],
  [".env", { dotEnv: "PARALLAMA_PORT=1002" }, 1002, ".env:1 PARALLAMA_PORT"],
  [
    "the environment",
    { dotEnv: "PARALLAMA_PORT=1002", env: { PARALLAMA_PORT: "1003" } },
    1003,
    "env PARALLAMA_PORT",
  ],
  ["a flag", { env: { PARALLAMA_PORT: "1003" }, flags: { port: "1004" } }, 1004, "flag --port"],
];

test.each(LAYERS)("%s wins over what is below it, and is named as the source", (_, given, port, source) => {
  const { config, sources } = loaded({ yaml: "server: {port: 1001}", ...given });
  expect(config.server.port).toBe(port);
  expect(sources.get("server.port")).toBe(source);
});

test("each flag and each variable sets its key", () => {
  const byFlag = configOf({
    flags: {
      host: "::1",
      port: 9,
      listen: ["localhost:10"],
      dataDir: "/d",
      db: "sqlite:////db/x.db",
      logLevel: "debug",
      logFormat: "json",
    },
  });
  const byVariable = configOf({
    env: {
      PARALLAMA_HOST: "::1",
      PARALLAMA_PORT: "9",
      PARALLAMA_DATA_DIR: "/d",
      DATABASE_URL: "/db/x.db",
      LOG_LEVEL: "DEBUG",
      OLLAMA_BASE_URL: "http://ollama:11434/",
      OPENAI_API_KEY: "sk-o",
      OPENAI_BASE_URL: "https://o.example/v1",
      ANTHROPIC_API_KEY: "sk-a",
      ANTHROPIC_BASE_URL: "https://a.example",
      ADMIN_API_KEY: "0123456789abcdef01234567",
      HF_ENDPOINT: "https://hf.example/",
      HF_TOKEN: "hf_t",
    },
  });
  expect(byFlag.server).toMatchObject({ host: "::1", port: 9, listen: [{ host: "localhost", port: 10 }] });
  expect(byFlag.logging).toMatchObject({ level: "debug", format: "json" });
  for (const config of [byFlag, byVariable]) {
    expect(config).toMatchObject({
      dataDir: "/d",
      database: { path: "/db/x.db" },
      logging: { level: "debug" },
    });
  }
  expect(byVariable.server).toMatchObject({ host: "::1", port: 9 });
  expect(providerOf(byVariable, "ollama").baseUrl).toBe("http://ollama:11434");
  expect(providerOf(byVariable, "openai")).toMatchObject({
    baseUrl: "https://o.example/v1",
    declaredBy: "built-in",
  });
  expect(providerOf(byVariable, "openai").apiKey?.reveal()).toBe("sk-o");
  expect(providerOf(byVariable, "anthropic").baseUrl).toBe("https://a.example");
  expect(providerOf(byVariable, "anthropic").apiKey?.reveal()).toBe("sk-a");
  expect(byVariable.admin.apiKey?.reveal()).toBe("0123456789abcdef01234567");
  expect(byVariable.hub.baseUrl).toBe("https://hf.example");
  expect(byVariable.hub.token?.reveal()).toBe("hf_t");
});

test("aliases of variables count only where the first name is not set", () => {
  const key = "0123456789abcdef01234567";
  expect(configOf({ env: { OMNIMEMORY_ADMIN_KEY: key } }).admin.apiKey?.reveal()).toBe(key);
  expect(configOf({ env: { OMNIMEMORY_ADMIN_KEY: "x", ADMIN_API_KEY: key } }).admin.apiKey?.reveal()).toBe(
    key,
  );
  const both = { OLLAMA_BASE_URL: "http://a:1", OLLAMA_HOST: "b:2" };
  expect(providerOf(configOf({ env: both }), "ollama").baseUrl).toBe("http://a:1");
  expect(providerOf(configOf({ env: { OLLAMA_HOST: "0.0.0.0:2" } }), "ollama").baseUrl).toBe(
    "http://127.0.0.1:2",
  );
});

test("the first file is read, and no other", () => {
  const files = {
    "/work/parallama.yaml": "server: {port: 1}",
    "/etc/parallama/config.yaml": "server: {port: 2, max_json_depth: 9}",
    "/work/env.yaml": "server: {port: 3}",
    "/flag.yaml": "server: {port: 4}",
  };
  const env = { PARALLAMA_CONFIG: "env.yaml" };
  const flags = { config: "/flag.yaml" };
  expect(configOf({ files, env, flags })).toMatchObject({ server: { port: 4 } });
  expect(configOf({ files, env })).toMatchObject({ server: { port: 3 } });
  expect(configOf({ files, dotEnv: "PARALLAMA_CONFIG=env.yaml" }).server.port).toBe(3);
  expect(configOf({ files }).server).toMatchObject({ port: 1, maxJsonDepth: 128 });
  const system = loaded({ files: { "/etc/parallama/config.yaml": files["/etc/parallama/config.yaml"] } });
  expect(system.config.server).toMatchObject({ port: 2, maxJsonDepth: 9 });
  expect(system.sources.get("server.port")).toBe("/etc/parallama/config.yaml:1");
});

test("a named file that is missing is an error", () => {
  expect(errorsOf({ flags: { config: "x.yaml" } })).toEqual([" @ flag --config: there is no file x.yaml"]);
  expect(errorsOf({ env: { PARALLAMA_CONFIG: "/x.yaml" } })).toEqual([
    " @ env PARALLAMA_CONFIG: there is no file /x.yaml",
  ]);
});

test("a file that cannot be read is an error, and .env only a warning", () => {
  const result = loadConfig({
    mode: "production",
    flags: {},
    env: {},
    cwd: "/work",
    readFile: () => {
      throw new Error("EACCES canary");
    },
  });
  expect(result.ok ? [] : result.errors).toEqual([
    { key: "", source: "parallama.yaml", message: "the file parallama.yaml cannot be read" },
  ]);
  expect(result.warnings).toEqual([{ key: "", source: ".env", message: "the file cannot be read" }]);
});

test.each(["", "your_openai_key_here", "YOUR_API_KEY", "sk_your_api_key_here", "your_stripe_key", "<key>"])(
  "the placeholder %p counts as not set, in .env and in the environment",
  (value) => {
    expect(providerOf(configOf({ dotEnv: `OPENAI_API_KEY=${value}` }), "openai").apiKey).toBeNull();
    expect(providerOf(configOf({ env: { OPENAI_API_KEY: value } }), "openai").apiKey).toBeNull();
  },
);

test("an empty variable of the process hides the one in .env; a placeholder does not", () => {
  const dotEnv = "OPENAI_API_KEY=sk-real";
  expect(providerOf(configOf({ dotEnv, env: { OPENAI_API_KEY: "" } }), "openai").apiKey).toBeNull();
  const placeholder = { OPENAI_API_KEY: "your_openai_key_here" };
  expect(providerOf(configOf({ dotEnv, env: placeholder }), "openai").apiKey?.reveal()).toBe("sk-real");
});

test("variables that look like ours and are not give a warning", () => {
  expect(warningsOf({ env: { PARALLAMA_PROT: "1" }, dotEnv: "\nPARALLAMA_ZZZZZZZZZZZZ=1" })).toEqual([
    " @ env PARALLAMA_PROT: PARALLAMA_PROT is not a variable of Parallama; did you mean PARALLAMA_PORT?",
    " @ .env:2 PARALLAMA_ZZZZZZZZZZZZ: PARALLAMA_ZZZZZZZZZZZZ is not a variable of Parallama",
  ]);
});

test("keys without a value count as not set", () => {
  const yaml = "server:\n  port:\nproviders:\nmodels:\nlogging: ~\n";
  expect(redactedConfig(configOf({ yaml }))).toEqual(redactedConfig(configOf({})));
});

test("paths start at the working directory or at home", () => {
  const config = configOf({
    yaml: "data_dir: store\nlogging: {dir: ~/logs}\nlocal: {models_dir: /m}",
    env: { HOME: "/home/u" },
  });
  expect(config).toMatchObject({
    dataDir: "/work/store",
    database: { path: "/work/store/parallama.db" },
    logging: { dir: "/home/u/logs" },
    local: { modelsDir: "/m" },
  });
});

test("the system's log directory is used where it can be written", () => {
  expect(configOf({ writable: ["/var/log/parallama"] }).logging.dir).toBe("/var/log/parallama");
  expect(configOf({ writable: ["/var/log/parallama"], yaml: "logging: {dir: l}" }).logging.dir).toBe(
    "/work/l",
  );
});

const DATABASES: readonly [string, string][] = [
  ["sqlite:///./data/lmsvr.db", "/work/data/lmsvr.db"],
  ["sqlite:///app/data/x.db", "/work/app/data/x.db"],
  ["sqlite:////abs/x.db", "/abs/x.db"],
  ["sqlite+aiosqlite:///x.db", "/work/x.db"],
  ["sqlite:x.db", "/work/x.db"],
  ["file:x.db", "/work/x.db"],
  ["file:./x.db", "/work/x.db"],
  ["file:/abs/x.db", "/abs/x.db"],
  ["file:///abs/a%20b.db", "/abs/a b.db"],
  ["x.db", "/work/x.db"],
  ["/abs/x.db", "/abs/x.db"],
];

test.each(DATABASES)("the database address %p is the file %p", (url, path) => {
  expect(configOf({ env: { DATABASE_URL: url } }).database).toEqual({ kind: "sqlite", path });
});

const BAD_DATABASES: readonly [string, string][] = [
  ["postgres://u:canary@h/d", "PostgreSQL is not supported yet"],
  ["postgresql+asyncpg://u:canary@h/d", "PostgreSQL is not supported yet"],
  ["mysql://u:canary@h/d", "only SQLite is supported"],
  ["sqlite://x.db", "three slashes begin a relative path"],
  ["sqlite:///", "names no file"],
  ["sqlite:///:memory:", "in memory"],
  ["x.db?mode=canary", "parameters"],
];

test.each(BAD_DATABASES)("the database address %p is refused", (url, reason) => {
  const errors = errorsOf({ env: { DATABASE_URL: url } });
  expect(errors).toEqual([expect.stringContaining(reason)]);
  expect(errors[0]).toStartWith("database.url @ env DATABASE_URL");
  expect(errors.join()).not.toContain("canary");
});

test("a variable or flag for the database replaces the file's path", () => {
  const yaml = "database: {path: a.db}";
  expect(configOf({ yaml }).database.path).toBe("/work/a.db");
  expect(configOf({ yaml, env: { DATABASE_URL: "b.db" } }).database.path).toBe("/work/b.db");
  expect(configOf({ yaml, env: { DATABASE_URL: "b.db" }, flags: { db: "c.db" } }).database.path).toBe(
    "/work/c.db",
  );
});

test.each([
  ["refuse", { kind: "refuse" }],
  ["free", { kind: "free" }],
  ["0.01", { kind: "flat", costNanoUsd: 10_000_000n }],
  ["'0.000000001'", { kind: "flat", costNanoUsd: 1n }],
  ["1e-9", { kind: "flat", costNanoUsd: 1n }],
  ["0", { kind: "flat", costNanoUsd: 0n }],
] as const)("pricing.unpriced: %s", (text, rule) => {
  expect(configOf({ yaml: `pricing: {unpriced: ${text}}` }).pricing.unpriced).toEqual(rule);
});

test("what is shown can be read again and means the same", () => {
  const listen = fc.array(fc.constantFrom("127.0.0.1:9", "[::1]:10", "host:11"), { maxLength: 2 });
  const settings = fc.record(
    {
      server: fc.record(
        {
          port: fc.integer({ min: 0, max: 65_535 }),
          listen,
          drain_timeout: fc.nat({ max: 10_000 }),
          max_body_bytes: fc.integer({ min: 1024, max: 1 << 27 }),
        },
        { requiredKeys: [] },
      ),
      local: fc.record({ gpu: fc.constantFrom(false, "auto", "cuda"), threads: fc.constantFrom("auto", 3) }),
      logging: fc.record({ level: fc.constantFrom("WARN", "debug"), access: fc.boolean() }),
      pricing: fc.record({ unpriced: fc.constantFrom("free", "refuse", 0.25, 1e-7) }),
      providers: fc.constantFrom({}, { x: { type: "ollama", base_url: "gpu:1", models: ["a"] } }),
      models: fc.constantFrom(
        [],
        [{ name: "m", aliases: ["n"], config: { model_path: "x.gguf", preload: true } }],
      ),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(settings, (tree) => {
      const first = load({ yaml: JSON.stringify(tree) });
      if (!first.ok) throw new Error(JSON.stringify(first.errors));
      const again = load({ yaml: JSON.stringify(redactedConfig(first.config)) });
      if (!again.ok) throw new Error(JSON.stringify(again.errors));
      expect(redactedConfig(again.config)).toEqual(redactedConfig(first.config));
    }),
  );
});
