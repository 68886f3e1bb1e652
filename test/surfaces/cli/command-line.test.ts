import { describe, expect, test } from "bun:test";
import type { Command } from "commander";
import { CONFIG_FLAGS } from "../../../src/config/config-flags.ts";
import { OPERATIONS } from "../../../src/operations/index.ts";
import { systemServices } from "../../../src/surfaces/cli/cli-services.ts";
import { examplesOf } from "../../../src/surfaces/cli/command-setup.ts";
import { createProgram } from "../../../src/surfaces/cli/program.ts";
import { systemIo } from "../../../src/surfaces/cli/system-io.ts";
import { COMMANDS_DOCUMENT, commandsDocument } from "../../../tools/docs-commands.ts";
import { ALICE, FIGURES, KEY, refused, run } from "./support.ts";

const program = createProgram({ io: systemIo(), services: systemServices, exitCode: 0 });
const everyCommand = withSubcommands(program);

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

function pathOf(command: Command): string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

describe("help", () => {
  test.each(everyCommand.map((command) => [pathOf(command).join(" ")]))(
    "of '%s' has examples that are its own",
    async (path) => {
      const command = everyCommand.find((each) => pathOf(each).join(" ") === path);
      if (command === undefined) throw new Error(path);
      const examples = examplesOf(command);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) expect(example).toStartWith(path);
      const ran = await run(`${path} --help`, { columns: 80 });
      expect(ran).toMatchObject({ exitCode: 0, stderr: "" });
      expect(ran.stdout).toContain(`$ parallama ${examples[0]}`);
      expect(ran.stdout).toContain("--json");
      expect(command.description()).not.toBe("");
      for (const option of command.options) expect(option.description).not.toBe("");
    },
  );

  test("is found under `help` too, on every level", async () => {
    const asOption = await run("key generate --help");
    expect(await run("help key generate")).toEqual(asOption);
    expect((await run("help")).stdout).toBe((await run("--help")).stdout);
    expect(await run("help key generat")).toMatchObject({ exitCode: 2, stdout: "" });
  });

  test("is what a command line without a command prints, as an error", async () => {
    for (const line of ["", "user"]) {
      const ran = await run(line);
      expect(ran).toMatchObject({ exitCode: 2, stdout: "" });
      expect(ran.stderr).toContain("Examples:");
    }
  });

  test("the reference is what the commands generate (bun tools/docs-commands.ts)", async () => {
    expect(await Bun.file(`${import.meta.dir}/../../../${COMMANDS_DOCUMENT}`).text()).toBe(
      commandsDocument(),
    );
  });

  test("serve takes every flag of the configuration", () => {
    const serve = everyCommand.find((command) => command.name() === "serve");
    const flags = [...program.options, ...(serve?.options ?? [])].map((option) => option.long);
    for (const { flag } of CONFIG_FLAGS) expect(flags).toContain(flag);
  });
});

describe("a wrong call ends with 2 and says what was probably meant", () => {
  test.each([
    ["usr list", "unknown command 'usr'", "Did you mean user?"],
    ["user lst", "unknown command 'lst'", "Did you mean list?"],
    ["user list --jsn", "unknown option '--jsn'", "Did you mean --json?"],
    ["user create", "missing required argument 'username'", "--help"],
    ["user create a b", "too many arguments", "--help"],
    ["model add x --provider openai", "required option '--model <model>' not specified", "--help"],
    ["usage show alice --latest many", "Expected a whole number from 0 to 1000", "--help"],
    ["key generate alice --expires 2020-01-01", "It lies in the past", "--help"],
    ["key generate alice --expires soon", "a date such as 2026-12-31", "--help"],
    ["key generate alice --expires 1m", "Expected a span in hours, days or weeks (12h, 30d, 4w)", "--help"],
    ["price set m --input -1", "Expected US dollars such as 0.25", "--help"],
    ["price set m --input 0.0000000001", "at most nine decimals", "--help"],
    ["price set m", "Give at least one amount", "--input"],
    ["price import --format csv", "parallama, litellm", "--help"],
  ])("%s", async (line, problem, help) => {
    const ran = await run(line);
    expect(ran).toMatchObject({ exitCode: 2, stdout: "", calls: [] });
    expect(ran.stderr).toStartWith("Error: ");
    expect(ran.stderr).toContain(problem);
    expect(ran.stderr).toContain(help);
  });

  test("in red on a terminal, unless colours are unwanted", async () => {
    expect((await run("usr", { columns: 80 })).stderr).toStartWith("\x1b[31mError:\x1b[39m ");
    expect((await run("--no-color usr", { columns: 80 })).stderr).toStartWith("Error: ");
  });
});

const OUTPUTS: Readonly<Record<string, readonly [string, unknown]>> = {
  "user create alice": ["accounts.create", ALICE],
  "user list": ["accounts.list", { accounts: [ALICE] }],
  "user info alice": ["accounts.show", { account: ALICE, usage: FIGURES, keys: [KEY] }],
  "user delete alice --yes": ["accounts.close", { id: 7, username: "alice", revokedKeys: 1 }],
  "key generate alice": ["keys.create", { key: KEY, secret: "pk_x", unknownModels: [] }],
  "key list": ["keys.list", { keys: [KEY] }],
  "key revoke 3": ["keys.revoke", { id: 3 }],
  "usage show alice": ["usage.show", { username: "alice", ...FIGURES, latest: [] }],
  "model list": ["models.list", { models: [] }],
  "model add m --provider p --model x": ["models.add", { id: 4, name: "m" }],
  "model remove m --yes": ["models.remove", { id: 4, name: "m", targets: [] }],
  "price set m --input 1": ["prices.set", price("m")],
  "price list": ["prices.list", { prices: [price("m")] }],
  "price import": [
    "prices.import",
    { imported: 1, unchanged: 2, skipped: [], skippedCount: 0, source: "list 1" },
  ],
  "config show --url http://h": ["config.show", { server: { port: 8000 } }],
  "db info": [
    "db.info",
    { engine: "sqlite", path: "/d/p.db", sizeBytes: 4096, schema: "0001", rows: { keys: 1 } },
  ],
};

function price(model: string) {
  return {
    id: 1,
    model,
    provider: null,
    effectiveFrom: "2026-11-22T05:00:00.000Z",
    perRequest: "0.00",
    input: "2.50",
    output: "10.00",
    cacheRead: null,
    cacheWrite: null,
    reasoning: null,
    source: "set",
  };
}

describe("--json prints the operation's output and nothing else", () => {
  test.each(Object.keys(OUTPUTS))("%s", async (line) => {
    const [name = "", output] = OUTPUTS[line] ?? [];
    const given = { operations: { [name]: output } };
    const ran = await run(`${line} --json`, given);
    expect(ran.exitCode).toBe(0);
    expect(JSON.parse(ran.stdout)).toEqual(output);
    expect(ran.calls.map((call) => call.name)).toEqual([name]);
    expect((await run(`--json ${line}`, { ...given, columns: 80 })).stdout).toBe(ran.stdout);
    expect((await run(line, given)).stdout).not.toStartWith("{");
  });

  test("an error leaves standard output empty", async () => {
    const ran = await run("key list --json", { operations: { "keys.list": refused("no") } });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "", stderr: "Error: no\n" });
  });

  test("every operation has a command, and every input is one that the operation takes", async () => {
    const asked = new Set(Object.values(OUTPUTS).map(([name]) => name));
    expect([...asked].sort()).toEqual(OPERATIONS.map((operation) => operation.name).sort());
    for (const [line, [name, output]] of Object.entries(OUTPUTS)) {
      const operation = OPERATIONS.find((each) => each.name === name);
      const { calls } = await run(line, { operations: { [name]: output } });
      expect(operation?.input.safeParse(calls[0]?.input)).toMatchObject({ success: true });
      expect(operation?.output.safeParse(output)).toMatchObject({ success: true });
    }
  });
});

describe("before something that cannot be undone", () => {
  const operations = { "accounts.close": { id: 7, username: "alice", revokedKeys: 2 } };
  const question = "Delete user 'alice'? This action cannot be undone! [y/N] ";

  test.each(["y", "Y", "yes", " Yes "])("'%s' is a yes", async (answer) => {
    const ran = await run("user delete alice", { operations, columns: 80, input: [answer] });
    expect(ran).toMatchObject({ exitCode: 0, stderr: question });
    expect(ran.stdout).toBe("User 'alice' deleted successfully (2 keys revoked, usage kept)\n");
  });

  test.each([["n"], [""], ["yesterday"], []])("%p is a no, and nothing happens", async (...input) => {
    const ran = await run("user delete alice --no-color", { operations, columns: 80, input });
    expect(ran).toMatchObject({ exitCode: 1, stdout: "", calls: [] });
    expect(ran.stderr).toStartWith(question);
    expect(ran.stderr).toEndWith("Error: Cancelled, nothing was changed\n");
  });

  test("nobody is asked with --yes, or where there is nobody", async () => {
    const told = await run("user delete alice --yes", { operations, columns: 80 });
    expect(told).toMatchObject({ exitCode: 0, stderr: "" });
    const piped = await run("user delete alice", { operations });
    expect(piped).toMatchObject({ exitCode: 0, stderr: "" });
  });

  test("the question never gets between a result and who reads it", async () => {
    const ran = await run("user delete alice --json", { operations, isInteractive: true, input: ["y"] });
    expect(JSON.parse(ran.stdout)).toEqual(operations["accounts.close"]);
  });
});

describe("a key", () => {
  const operations = {
    "keys.revoke": { id: 3 },
    "keys.list": { keys: [] },
    "keys.create": { key: KEY, secret: "s", unknownModels: [] },
  };
  const secret = `pk_${"aB3".repeat(14)}x`;

  test("is read from standard input for -", async () => {
    const ran = await run("key revoke -", { operations, input: [`  ${secret} `] });
    expect(ran).toMatchObject({ exitCode: 0, stderr: "", calls: [{ input: { key: secret } }] });
    expect(await run("key revoke -", { operations })).toMatchObject({ exitCode: 2, calls: [] });
    expect((await run("key revoke -", { operations, columns: 80, input: ["x"] })).stderr).toBe("API key: ");
  });

  test("on the command line works, with a warning that does not repeat it", async () => {
    const ran = await run(`key revoke ${secret}`, { operations });
    expect(ran).toMatchObject({ exitCode: 0, stdout: "API key 3 revoked successfully\n" });
    expect(ran.stderr).toContain("history");
    expect(ran.stderr).not.toContain(secret);
    for (const id of ["3", "9f86d081", "a".repeat(64)]) {
      expect((await run(`key revoke ${id}`, { operations })).stderr).toBe("");
    }
    const admin = await run(`key list --admin-key ${secret}`, { operations });
    expect(admin.stderr).toContain("PARALLAMA_ADMIN_KEY");
    expect(admin.stderr).not.toContain(secret);
  });

  test("is made with what its options say", async () => {
    const line = "key generate alice --name laptop --admin --model a b --expires 30d";
    const { calls } = await run(line, { operations });
    expect(calls[0]?.input).toEqual({
      username: "alice",
      name: "laptop",
      role: "admin",
      allowedModels: ["a", "b"],
      expiresAt: "2026-12-22T05:23:45.678Z",
    });
  });
});

test("serve hands over its flags, and its exit code is the program's", async () => {
  let seen: unknown;
  const serve = async (options: object) => {
    seen = options;
    return 1;
  };
  const ran = await run("serve --dev --port 9 --config c.yaml --listen a:1 b:2", { services: { serve } });
  expect(ran.exitCode).toBe(1);
  expect(seen).toMatchObject({ dev: true, flags: { port: "9", config: "c.yaml", listen: ["a:1", "b:2"] } });
});
