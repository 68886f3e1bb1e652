import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isWritableDirectory, readConfigText } from "../../src/config/config-files.ts";
import { CONFIG_FLAGS } from "../../src/config/config-flags.ts";
import { ENVIRONMENT_VARIABLES } from "../../src/config/environment.ts";
import { formatKeyPath } from "../../src/config/key-path.ts";
import { describeKeys, metaAt } from "../../src/config/schema-tree.ts";
import { CONFIGURATION_DOCUMENT, configurationDocument } from "../../tools/docs-configuration.ts";
import { configOf, loaded } from "./support.ts";

const ROOT = resolve(import.meta.dir, "../..");
const read = (path: string): Promise<string> => Bun.file(join(ROOT, path)).text();

test("the reference is what the schema generates (bun tools/docs-configuration.ts)", async () => {
  expect(await read(CONFIGURATION_DOCUMENT)).toBe(
    configurationDocument(await read("parallama.example.yaml")),
  );
});

test("the example file is valid as it stands, and with everything in it switched on", async () => {
  const yaml = await read("parallama.example.yaml");
  const { config, warnings } = loaded({ yaml });
  expect(warnings).toEqual([]);
  expect(config.models.map((model) => model.name)).toEqual(["chat", "small"]);
  const switchedOn = yaml.replace(/^( *)# ((?: *)(?:[a-z_]+:(?: \S+)?|listen: .*))$/gm, "$1$2");
  const full = loaded({ yaml: switchedOn, env: { GROQ_API_KEY: "k" } });
  expect(full.warnings).toEqual([]);
  expect(full.config).toMatchObject({
    server: { listen: [{ host: "127.0.0.1", port: 8001 }] },
    database: { path: "/var/lib/parallama/parallama.db" },
    logging: { dir: "/var/log/parallama" },
  });
  expect(full.config.providers.map((provider) => provider.name)).toContain("groq");
});

test(".env.example works as it stands: its samples count as not set", async () => {
  const { config, warnings, sources } = loaded({ dotEnv: await read(".env.example") });
  expect(warnings).toEqual([]);
  expect(config.providers.every((provider) => provider.apiKey === null)).toBe(true);
  expect([...sources.keys()].sort()).toEqual(["database.url", "logging.level", "ollama.base_url"]);
  expect(config).toMatchObject(
    JSON.parse(JSON.stringify({ database: configOf({}).database, logging: { level: "info" } })),
  );
});

test("each key is described, and each key but a group says its type", () => {
  for (const { path, meta } of describeKeys()) {
    expect([path, meta.description]).toEqual([path, expect.stringMatching(/^[A-Z`].*\.$/s)]);
    expect(meta.type).not.toBe("");
  }
});

test("each variable and flag sets a key that exists", () => {
  for (const { key } of [...ENVIRONMENT_VARIABLES, ...CONFIG_FLAGS]) {
    if (key !== null) expect([formatKeyPath(key), metaAt(key)?.description]).not.toContain(undefined);
  }
});

test("files are read from the disk as loading asks for them", () => {
  const directory = mkdtempSync(join(tmpdir(), "parallama-config-"));
  try {
    writeFileSync(join(directory, "a.yaml"), "x: 1");
    expect(readConfigText(join(directory, "a.yaml"))).toBe("x: 1");
    expect(readConfigText(join(directory, "b.yaml"))).toBeUndefined();
    expect(readConfigText(join(directory, "a.yaml", "b"))).toBeUndefined();
    expect(() => readConfigText(directory)).toThrow();
    expect(isWritableDirectory(directory)).toBe(true);
    expect(isWritableDirectory(join(directory, "a.yaml"))).toBe(false);
    expect(isWritableDirectory(join(directory, "none"))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect(existsSync(directory)).toBe(false);
});
