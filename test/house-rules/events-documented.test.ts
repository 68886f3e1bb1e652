import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewayError } from "../../src/core/error.ts";
import type { Principal } from "../../src/core/principal.ts";
import type { RequestRow } from "../../src/engine/ports.ts";
import type { LocalProcessEvent } from "../../src/providers/local/local-process.ts";
import { Events } from "../../src/telemetry/events.ts";
import { openLogging } from "../../src/telemetry/logging.ts";
import { readText } from "./repository.ts";

const PRINCIPAL: Principal = {
  accountId: 1,
  accountHandle: "me",
  keyId: 2,
  role: "user",
  allowedModels: null,
};
const ATTEMPT = {
  provider: "p",
  providerModel: "m",
  providerRequestId: null,
  status: 200,
  error: null,
  startedAtMs: 0,
  latencyMs: 1,
  usage: undefined,
  costNanoUsd: 0n,
};
const ROW: RequestRow = {
  id: "r",
  startedAtMs: 0,
  accountId: 1,
  keyId: 2,
  protocol: "openai-chat",
  requestedModel: "m",
  model: "m",
  stream: false,
  status: 200,
  error: null,
  usage: { tokens: { input: 1, cacheRead: 2, cacheWrite: 3, output: 4, reasoning: 1 }, source: "provider" },
  priceId: 1,
  costNanoUsd: 5n,
  latencyMs: 1,
  firstByteMs: 1,
  requestBytes: 1,
  responseBytes: 1,
  attempts: [ATTEMPT],
};
const THROWN = Object.assign(new RangeError("secret text"), { code: "E_X" });

/** Every happening of the local process; serve.ts hands on the fields that are not objects. */
const LOCAL: { [What in LocalProcessEvent["event"]]: Extract<LocalProcessEvent, { event: What }> } = {
  starting: { event: "starting", restarts: 1 },
  ready: { event: "ready", pid: 1 },
  exited: {
    event: "exited",
    exit: { exitCode: 1, signal: null, diagnosis: undefined },
    expected: false,
    retryInMs: 1,
  },
  "model-loaded": { event: "model-loaded", path: "p", loadMs: 1, contextTokens: 1 },
  "model-unloaded": { event: "model-unloaded", path: "p" },
  "model-failed": { event: "model-failed", path: "p", reason: "r" },
  "preload-failed": { event: "preload-failed", path: "p", status: 500 },
  warning: { event: "warning", message: "m" },
  "internal-error": { event: "internal-error", name: "n", where: [] },
};
type LocalFields = Record<string, string | number | boolean | null> & { event: string };

/** One or more calls of every event, with every field. A new method of `Events` must be added here, and documented. */
const CALLS: Record<string, (events: Events) => void> = {
  finished: (events) => events.finished(ROW, PRINCIPAL),
  failed: (events) => {
    events.failed("r", gatewayError("internal", "x"), THROWN);
    events.failed("r", gatewayError("provider_broken", "x"), undefined);
  },
  answered: (events) =>
    events.answered({
      requestId: "r",
      method: "GET",
      route: "/x",
      status: 200,
      latencyMs: 1,
      keyId: 1,
      accountId: 1,
    }),
  serverStarted: (events) =>
    events.serverStarted({ version: "1", mode: "dev", listen: [], database: "d", pid: 1 }),
  serverStopping: (events) => events.serverStopping("SIGTERM"),
  serverStopped: (events) => events.serverStopped(0),
  warned: (events) => events.warned("text"),
  journalFailing: (events) => events.journalFailing("disk full"),
  journalRecovered: (events) => events.journalRecovered(),
  configurationReloaded: (events) => events.configurationReloaded(["a"], ["b"]),
  configurationRefused: (events) => events.configurationRefused(["a"]),
  localProcess: (events) => {
    for (const { event, exit: _, where: __, ...fields } of Object.values(LOCAL) as unknown as LocalFields[]) {
      events.localProcess({ what: event, ...fields });
    }
  },
  unexpected: (events) => events.unexpected("here", THROWN),
};

/** Written without a logger. */
const BESIDE_EVENTS = ["log.dropped"];

interface Logged {
  readonly event: string;
  readonly level: string;
  readonly fields: readonly string[];
}

let folder: string;
let logged: Logged[];
let text: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parallama-events-"));
  text = "";
  const loggers = await openLogging({
    level: "debug",
    format: "json",
    dir: folder,
    maxBytes: 1e6,
    backupCount: 1,
    access: true,
    write(piece, written) {
      text += piece;
      written();
    },
  });
  const events = new Events(loggers);
  for (const call of Object.values(CALLS)) call(events);
  await loggers.close();
  text += readFileSync(join(folder, "usage.log"), "utf8");
  logged = text
    .trim()
    .split("\n")
    .map((line) => {
      const { time: _, level, event, ...fields } = JSON.parse(line);
      return { event, level, fields: Object.keys(fields) };
    });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every method of Events is called here", () => {
  const methods = Object.getOwnPropertyNames(Events.prototype).filter(
    (name) => !["constructor", "use"].includes(name),
  );
  expect(Object.keys(CALLS).sort()).toEqual(methods.sort());
});

test("every call is logged, and nothing of an exception's own text", () => {
  expect(logged.length).toBeGreaterThanOrEqual(Object.keys(CALLS).length);
  expect(text).not.toContain("secret text");
});

test("docs/reference/events.md has every event, and no other", () => {
  const documented = [...sections().keys()].sort();
  expect(documented).toEqual([...new Set([...logged.map(({ event }) => event), ...BESIDE_EVENTS])].sort());
});

test("docs/reference/events.md has every event's level and fields, and no others", () => {
  for (const [event, section] of sections()) {
    if (BESIDE_EVENTS.includes(event)) continue;
    const lines = logged.filter((line) => line.event === event);
    const fields = new Set(lines.flatMap((line) => line.fields));
    const documented = [...section.matchAll(/^\| `(\w+)` +\|/gm)].map((match) => match[1]);
    expect({ event, fields: documented.sort() }).toEqual({ event, fields: [...fields].sort() });
    for (const { level } of lines)
      expect({ event, section }).toEqual({ event, section: expect.stringContaining(level) });
  }
});

function sections(): Map<string, string> {
  const parts = readText("docs/reference/events.md").split(/^## /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf("\n")), part]));
}
