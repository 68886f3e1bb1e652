import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogRecord } from "@logtape/logtape";
import { jsonLine, stdoutSink, textLine } from "../../src/telemetry/log-sinks.ts";
import { type Loggers, type LoggingOptions, openLogging } from "../../src/telemetry/logging.ts";

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

/** The events of a log, in order. */
const events = (text: string) =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [String(JSON.parse(line).event)]));
const fileEvents = (name: string) => events(readFileSync(join(folder, `${name}.log`), "utf8"));

/** One line of every kind. */
function sayAll(loggers: Loggers): void {
  loggers.program.debug("program-debug");
  loggers.program.info("program-info");
  loggers.program.warning("program-warning");
  loggers.program.error("program-error");
  loggers.access.info("access", {});
  loggers.usage.info("usage", {});
}

describe("where lines go", () => {
  test("the program's own go to standard output from the level on, its errors to error.log too", async () => {
    const loggers = await open();
    sayAll(loggers);
    await loggers.close();
    expect(events(stdout)).toEqual(["program-info", "program-warning", "program-error", "access"]);
    expect({ error: fileEvents("error"), api: fileEvents("api"), usage: fileEvents("usage") }).toEqual({
      error: ["program-error"],
      api: ["access"],
      usage: ["usage"],
    });
  });

  test.each([
    ["debug", true, ["program-debug", "program-info", "program-warning", "program-error", "access"]],
    ["info", false, ["program-info", "program-warning", "program-error"]],
    ["warning", true, ["program-warning", "program-error"]],
    ["error", true, ["program-error"]],
  ] as const)("level %s, access %p", async (level, access, expected) => {
    const loggers = await open({ level, access });
    sayAll(loggers);
    await loggers.close();
    expect(events(stdout)).toEqual([...expected]);
    expect(fileEvents("usage")).toEqual(["usage"]);
  });

  test("without a folder, only to standard output, and usage nowhere", async () => {
    const loggers = await open({ dir: null });
    sayAll(loggers);
    await loggers.close();
    expect(events(stdout)).toEqual(["program-info", "program-warning", "program-error", "access"]);
    expect(loggers.usage.enabled).toBe(false);
  });

  test("opened again, everything goes on, and nothing is lost", async () => {
    const first = await open();
    first.program.error("one");
    first.access.info("access", {});
    first.flush();
    const second = await open({ level: "error" });
    second.program.error("two");
    second.program.info("quiet");
    await second.close();
    expect(events(stdout)).toEqual(["one", "access", "two"]);
    expect(fileEvents("error")).toEqual(["one", "two"]);
    expect(fileEvents("api")).toEqual(["access"]);
  });
});

function record(properties: Record<string, unknown>, level: LogRecord["level"] = "info"): LogRecord {
  const timestamp = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  return {
    category: ["parallama"],
    level,
    message: ["it.happened"],
    rawMessage: "it.happened",
    timestamp,
    properties,
  };
}

describe("a line", () => {
  test.each<[Record<string, unknown>, string]>([
    [{}, ""],
    [{ a: 1, b: null, c: "x", d: ["y"] }, ',"a":1,"b":null,"c":"x","d":["y"]'],
    [{ text: 'two\nlines "quoted"' }, ',"text":"two\\nlines \\"quoted\\""'],
    [{ absent: undefined }, ""],
  ])("of JSON with %j is one object", (properties, rest) => {
    const line = jsonLine(record(properties));
    expect(line).toBe(`{"time":"2026-01-02T03:04:05.006Z","level":"info","event":"it.happened"${rest}}\n`);
    expect(JSON.parse(line).event).toBe("it.happened");
  });

  test.each<[Record<string, unknown>, LogRecord["level"], string]>([
    [{}, "info", "03:04:05.006 it.happened\n"],
    [{ a: 1, b: null, c: "", d: undefined, e: 0 }, "error", "03:04:05.006 ERROR it.happened a=1 e=0\n"],
    [{ text: "two\nlines" }, "warning", '03:04:05.006 WARNING it.happened text="two\\nlines"\n'],
    [{ model: "a\u001b[2Jb" }, "info", '03:04:05.006 it.happened model="a\\u001b[2Jb"\n'],
    [{ model: "a\u009b2J\u007f" }, "info", '03:04:05.006 it.happened model="a\\u009b2J\\u007f"\n'],
    [{ model: "a\u202eb\u2028" }, "info", '03:04:05.006 it.happened model="a\\u202eb\\u2028"\n'],
    [{ list: ["\u009b"] }, "info", '03:04:05.006 it.happened list="[\\"\\u009b\\"]"\n'],
    [{ list: ["a", "b"] }, "info", '03:04:05.006 it.happened list="[\\"a\\",\\"b\\"]"\n'],
  ])("of text with %j at %s is for people", (properties, level, line) => {
    expect(textLine(record(properties, level))).toBe(line);
  });
});

describe("standard output", () => {
  test("gets lines in one piece", () => {
    const pieces: string[] = [];
    const sink = stdoutSink((text) => pieces.push(text), jsonLine);
    for (let i = 0; i < 3; i++) sink(record({ i }));
    expect(pieces).toEqual([]);
    sink.flush();
    sink.flush();
    expect(pieces).toHaveLength(1);
    expect(events(pieces[0] ?? "")).toHaveLength(3);
  });

  test("that is not read drops lines beyond a bound, and says how many once it is", () => {
    const pieces: string[] = [];
    let written = () => {};
    const sink = stdoutSink((text, done) => {
      pieces.push(text);
      written = done;
    }, jsonLine);
    const large = record({ text: "x".repeat(1024 * 1024) });
    for (let i = 0; i < 4; i++) sink(large);
    sink.flush();
    for (let i = 0; i < 7; i++) sink(large);
    written();
    sink(record({ last: true }));
    sink.flush();
    expect(pieces).toHaveLength(2);
    expect(events(pieces[1] ?? "")).toEqual(["it.happened", "log.dropped"]);
    expect(pieces[1]).toContain('"lines":7}');
  });
});
