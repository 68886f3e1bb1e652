// The "off" state: the same application, router and route, with nothing switched on. No key is checked, no row is
// written, no answer is read on its way, no line is logged. What remains is what relaying itself costs.
//
//   bun bench/parallama-off.ts PORT --config FILE --data-dir DIR
import { parseArgs } from "node:util";
import { type AppEvents, createApp } from "../src/app.ts";
import { readConfigText } from "../src/config/config-files.ts";
import { loadConfig } from "../src/config/load-config.ts";
import type { Principal } from "../src/core/principal.ts";
import type { AnswerReader, InferenceRequest, Protocol } from "../src/engine/ports.ts";

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  allowPositionals: true,
  options: { config: { type: "string" }, "data-dir": { type: "string" } },
});
const loaded = loadConfig({
  mode: "production",
  flags: { config: values.config, dataDir: values["data-dir"] },
  env: process.env,
  cwd: process.cwd(),
  readFile: readConfigText,
});
if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));

const nobody: Principal = { accountId: 1, accountHandle: null, keyId: 1, role: "user", allowedModels: null };
const silent: AppEvents = {
  finished() {},
  failed() {},
  answered() {},
  unexpected: (where, cause) => console.error(where, cause),
  journalFailing() {},
  journalRecovered() {},
  localProcess() {},
};

/** So that nothing has to be estimated either. */
const NOTHING = { tokens: { input: 0, output: 0 }, source: "provider" } as const;

/** Hands every byte on and learns nothing. */
const unread = (): AnswerReader => ({
  whole: (bytes) => bytes,
  piece: (bytes) => bytes,
  rest: () => new Uint8Array(0),
  ended: false,
  facts: () => ({ usage: NOTHING, complete: true, textBytes: 0, textPieces: 0 }),
});

const withoutMetering = (protocol: Protocol): Protocol => ({
  ...protocol,
  decodeRequest(bytes) {
    const decoded = protocol.decodeRequest(bytes);
    if (!decoded.ok) return decoded;
    const request: InferenceRequest = { ...decoded.value, readAnswer: unread };
    return { ok: true, value: request };
  },
});

const app = await createApp(loaded.config, silent, {
  keys: { authenticate: () => ({ ok: true, value: nobody }) },
  journal: { append: async () => {}, refusal: () => undefined },
  protocol: withoutMetering,
});
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(positionals[0]),
  idleTimeout: 60,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  fetch: (request, server) => app.router.fetch(request, server),
});
