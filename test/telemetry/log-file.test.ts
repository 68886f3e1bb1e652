import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GatewayFailure, gatewayError } from "../../src/core/error.ts";
import { Events } from "../../src/telemetry/events.ts";
import { LogFile } from "../../src/telemetry/log-file.ts";
import { directLog, dropReport, recordOf } from "../../src/telemetry/log-sinks.ts";
import { type Loggers, type LoggingOptions, openLogging } from "../../src/telemetry/logging.ts";
import { requestRow } from "../ledger/journal-setup.ts";
import { within } from "../support/within.ts";

let folder: string;
let stdout: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parallama-logs-"));
  stdout = "";
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (options: Partial<LoggingOptions> = {}): Promise<Loggers> =>
  openLogging({
    level: "info",
    format: "json",
    dir: folder,
    maxBytes: 1_000_000,
    backupCount: 1,
    access: true,
    write(text, written) {
      stdout += text;
      written();
    },
    ...options,
  });

const linesOf = (text: string): Record<string, unknown>[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
const eventsOf = (text: string) => linesOf(text).map((line) => line["event"]);
const read = (name: string) => readFileSync(join(folder, name), "utf8");

const PRINCIPAL = { accountId: 1, accountHandle: "me", keyId: 2, role: "user", allowedModels: null } as const;

describe("a file that cannot be written", () => {
  /** A file on a disk that is full. */
  const fill = (name: string) => symlinkSync("/dev/full", join(folder, name));

  test("throws into no request, and what was dropped is said on standard output", async () => {
    for (const name of ["api.log", "usage.log", "error.log"]) fill(name);
    const loggers = await open();
    const events = new Events(loggers);
    for (let i = 0; i < 200; i++) events.finished(requestRow(`r${i}`), PRINCIPAL);
    events.failed("r", gatewayError("internal", "x"), new Error("x"));
    await loggers.close();
    const dropped = linesOf(stdout).filter((line) => line["event"] === "log.dropped");
    expect(new Set(dropped.map((line) => line["file"]))).toEqual(
      new Set(["api.log", "usage.log", "error.log"]),
    );
    expect(dropped).toHaveLength(3); // once a minute, however many fail
    expect(dropped.map((line) => line["level"])).toEqual(["warning", "warning", "warning"]);
    expect(eventsOf(stdout)).toContain("request.failed");
  });

  test("is opened again for later lines: the log heals", () => {
    fill("api.log");
    const dropped: number[] = [];
    const options = { maxBytes: 1e6, backupCount: 1, dropped: (lines: number) => dropped.push(lines) };
    const file = new LogFile(join(folder, "api.log"), options);
    for (const event of ["a", "b"]) file.sink(recordOf("x", "info", event, {}));
    file.flush();
    expect(dropped).toEqual([2]);
    rmSync(join(folder, "api.log"));
    file.sink(recordOf("x", "info", "c", {}));
    file.close();
    expect(eventsOf(read("api.log"))).toEqual(["c"]);
  });

  test("a line that cannot be put into words is dropped alone", () => {
    const dropped: number[] = [];
    const options = { maxBytes: 1e6, backupCount: 1, dropped: (lines: number) => dropped.push(lines) };
    const file = new LogFile(join(folder, "api.log"), options);
    file.sink(recordOf("x", "info", "a", { big: 1n }));
    file.sink(recordOf("x", "info", "b", {}));
    file.close();
    expect(dropped).toEqual([1]);
    expect(eventsOf(read("api.log"))).toEqual(["b"]);
  });

  test("a sink that throws stops neither the caller nor the other sinks", () => {
    const got: unknown[] = [];
    const throwing = () => {
      throw new Error("no");
    };
    directLog("access", [throwing, (record) => got.push(record.rawMessage)]).info("access", {});
    expect(got).toEqual(["access"]);
  });
});

test("drops are said at once, and then together, once a pause", async () => {
  const said: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const dropped = dropReport((lines) => {
    said.push(lines);
    if (said.length === 2) resolve();
  }, 5);
  for (const lines of [2, 3, 4]) dropped(lines);
  expect(said).toEqual([2]);
  await within("the second report", promise);
  expect(said).toEqual([2, 7]);
});

describe("a log file", () => {
  test("is rotated by size, and keeps so many old ones", () => {
    const file = new LogFile(join(folder, "api.log"), { maxBytes: 100, backupCount: 2, dropped() {} });
    for (const event of ["a", "b", "c", "d"]) {
      file.sink(recordOf("x", "info", event, { text: "x".repeat(60) }));
      file.flush();
    }
    file.close();
    expect(readdirSync(folder).sort()).toEqual(["api.log", "api.log.1", "api.log.2"]);
    expect(["api.log", "api.log.1", "api.log.2"].flatMap((name) => eventsOf(read(name)))).toEqual([
      "d",
      "c",
      "b",
    ]);
  });

  test("that cannot be rotated is written on", () => {
    mkdirSync(join(folder, "api.log.1"));
    writeFileSync(join(folder, "api.log.1", "in-the-way"), "");
    const file = new LogFile(join(folder, "api.log"), { maxBytes: 1, backupCount: 1, dropped() {} });
    for (const event of ["a", "b"]) {
      file.sink(recordOf("x", "info", event, {}));
      file.flush();
    }
    file.close();
    expect(eventsOf(read("api.log"))).toEqual(["a", "b"]);
  });

  test("has an error at once, and other lines after a moment", () => {
    const file = new LogFile(join(folder, "api.log"), { maxBytes: 1e6, backupCount: 1, dropped() {} });
    file.sink(recordOf("x", "info", "a", {}));
    expect(read("api.log")).toBe("");
    file.sink(recordOf("x", "error", "b", {}));
    expect(eventsOf(read("api.log"))).toEqual(["a", "b"]);
    file.close();
  });
});

describe("logging that is opened", () => {
  test("makes its folder, for this user only", async () => {
    const dir = join(folder, "deep", "logs");
    const loggers = await open({ dir });
    await loggers.close();
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  test.each([
    ["the folder is a file", () => writeFileSync(join(folder, "logs"), ""), "logs"],
    [
      "a log is a folder",
      () => mkdirSync(join(folder, "logs", "usage.log"), { recursive: true }),
      "logs/usage.log",
    ],
  ])("where %s is refused, with the path, and the old one goes on", async (_, breaks, path) => {
    const loggers = await open();
    breaks();
    const refused = await open({ dir: join(folder, "logs"), level: "debug" }).catch(
      (thrown: unknown) => thrown,
    );
    expect(refused).toBeInstanceOf(GatewayFailure);
    expect((refused as GatewayFailure).error).toMatchObject({
      kind: "storage_unavailable",
      message: expect.stringContaining(join(folder, path)),
    });
    loggers.program.debug("quiet");
    loggers.program.error("still");
    loggers.usage.info("usage", {});
    await loggers.close();
    expect(eventsOf(stdout)).toEqual(["still"]);
    expect([eventsOf(read("error.log")), eventsOf(read("usage.log"))]).toEqual([["still"], ["usage"]]);
  });

  test("anew loses no line of a holder of the old one, and lets a rotated file go", async () => {
    const first = await open();
    first.usage.info("before", {});
    renameSync(join(folder, "usage.log"), join(folder, "usage.old"));
    const opening = open();
    first.program.error("meanwhile");
    const second = await opening;
    first.usage.info("late", {});
    first.program.error("late");
    second.usage.info("after", {});
    await first.close();
    await second.close();
    expect(eventsOf(read("usage.old"))).toEqual(["before"]);
    expect(eventsOf(read("usage.log")).sort()).toEqual(["after", "late"]);
    expect(eventsOf(read("error.log"))).toEqual(["meanwhile", "late"]);
  });
});

describe("request.failed of a provider says what lies under it", () => {
  const refused = Object.assign(new TypeError("https://secret.example/?key=1"), { code: "ECONNREFUSED" });
  test.each<[string, unknown, object]>([
    [
      "a failure with a cause",
      new GatewayFailure(gatewayError("provider_unreachable", "x"), refused),
      { cause: "TypeError", code: "ECONNREFUSED" },
    ],
    ["the cause itself", refused, { cause: "TypeError", code: "ECONNREFUSED" }],
    [
      "a failure without one",
      new GatewayFailure(gatewayError("provider_unreachable", "x")),
      { cause: null, code: null },
    ],
    ["nothing", undefined, { cause: null, code: null }],
    ["no exception", "text", { cause: "string", code: null }],
  ])("%s", async (_, thrown, expected) => {
    const loggers = await open({ dir: null });
    new Events(loggers).failed("r", gatewayError("provider_unreachable", "x"), thrown);
    await loggers.close();
    const [line] = linesOf(stdout);
    expect(line).toMatchObject({ event: "request.failed", level: "warning", ...expected });
    expect(line).not.toHaveProperty("stack");
    expect(stdout).not.toContain("secret");
  });
});
