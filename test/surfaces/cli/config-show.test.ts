import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { yamlText } from "../../../src/surfaces/cli/text/yaml-text.ts";
import { run } from "./support.ts";

let cwd = "";
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "parallama-config-show-"));
  const yaml = `server:\n  port: 9000\nproviders:\n  openai:\n    api_key: \${MY_KEY}\n`;
  writeFileSync(join(cwd, "parallama.yaml"), yaml);
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

const env = { MY_KEY: "sk-very-secret", LOG_LEVEL: "debug" };

test("without a server: what one would start with, each value with its source, and no secret", async () => {
  const ran = await run("config show --data-dir d", { cwd, env });
  expect(ran).toMatchObject({ exitCode: 0, stderr: "", calls: [] });
  const line = (text: string) => ran.stdout.split("\n").find((each) => each.trim().startsWith(text));
  expect(line("port: 9000")).toEndWith("# parallama.yaml:2");
  expect(line("level: debug")).toEndWith("# env LOG_LEVEL");
  expect(line("data_dir:")).toEndWith("# flag --data-dir");
  expect(line("max_json_depth:")).toEndWith("# default");
  expect(line("api_key:")).toContain("[redacted: from env MY_KEY]");
  expect(ran.stdout).not.toContain("sk-very-secret");
  expect(Bun.YAML.parse(ran.stdout)).toEqual(
    JSON.parse((await run("config show --data-dir d --json", { cwd, env })).stdout),
  );
});

test("with --dev: what `serve --dev` would start with", async () => {
  expect((await run("config show", { cwd, env })).stdout).toContain('host: "0.0.0.0"');
  expect((await run("config show --dev", { cwd, env })).stdout).toContain('host: "127.0.0.1"');
});

test("of a running server: its values, and where they are not what this place says", async () => {
  const here = JSON.parse((await run("config show --json", { cwd, env })).stdout);
  const values = { ...here, server: { ...here.server, port: 9001 } };
  const client = { where: "server" as const, run: async () => values, close: async () => {} };
  const ran = await run("config show", { cwd, env, services: { findServer: async () => client } });
  expect(ran.stdout).toContain("# Of the running server.");
  expect(ran.stdout).toMatch(/port: 9001 +# the server's own; here 9000 \(parallama\.yaml:2\)/);
  expect(ran.stdout).toMatch(/level: debug +# env LOG_LEVEL/);
});

test("YAML text means what was put in", () => {
  const tree = {
    a: {
      plain: "x",
      number: 1,
      text: "1",
      yes: true,
      no: "no",
      empty: "",
      blank: "a b",
      colon: "a: b",
      none: null,
    },
    list: [],
    words: ["a", "b c", "-"],
    groups: [
      { name: "x", targets: [{ provider: "p", model: "m:latest" }] },
      { name: "y", targets: [] },
    ],
    group: {},
    "odd key": "# no comment",
  };
  expect(Bun.YAML.parse(yamlText(tree, (path) => path.join(".")))).toEqual(tree);
});
