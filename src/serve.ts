import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { LogLevel } from "@logtape/logtape";
import { type App, createApp, VERSION } from "./app.ts";
import type { Config, ConfigMode } from "./config/config.ts";
import { isWritableDirectory, readConfigText } from "./config/config-files.ts";
import type { ConfigFlags } from "./config/config-flags.ts";
import { diffConfig, reloadedConfig } from "./config/diff-config.ts";
import { type LoadedConfig, loadConfig } from "./config/load-config.ts";
import { GatewayFailure, toGatewayError } from "./core/error.ts";
import { offerBetterModel } from "./offer-model.ts";
import { isOpenToOthers } from "./storage/database.ts";
import { acceptsConnections, COMMAND_SOCKET } from "./surfaces/command-socket.ts";
import { errorResponse } from "./surfaces/http/error-response.ts";
import { operationRoute } from "./surfaces/http/operation-routes.ts";
import { IDLE_TIMEOUT_S } from "./surfaces/http/router.ts";
import { Events } from "./telemetry/events.ts";
import { type Loggers, openLogging } from "./telemetry/logging.ts";
import { commandPrefix, firstKeysLines, welcomeText } from "./welcome.ts";

export interface ServeOptions {
  readonly dev: boolean;
  readonly flags: ConfigFlags;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/** Bodies are bounded by our own reader, in the caller's error shape; this only keeps Bun from answering first. */
const NO_BODY_LIMIT = Number.MAX_SAFE_INTEGER;

/** Bun closes a connection after 10 s of silence; an operation may take longer. Its types lack this for Unix sockets. */
const NO_IDLE_TIMEOUT: object = { idleTimeout: 0 };

/** How long requests that were told to end have for it, before their connections are cut. */
const ENDING_MS = 2_000;

/** Runs the server until it is told to stop. Resolves with the exit code. */
export async function serve(options: ServeOptions): Promise<number> {
  const signals = listenForSignals();
  const mode = options.dev ? "dev" : "production";
  const loaded = load(mode, options.flags);
  for (const warning of loaded.warnings) options.stderr(`Warning: ${problemText(warning)}\n`);
  if (!loaded.ok) {
    for (const error of loaded.errors) options.stderr(`Error: ${problemText(error)}\n`);
    return 1;
  }
  try {
    return await run(loaded.config, options, signals);
  } catch (thrown) {
    if (!(thrown instanceof GatewayFailure)) throw thrown;
    options.stderr(`Error: ${thrown.error.message}\n`);
    return 1;
  }
}

async function run(config: Config, options: ServeOptions, signals: Signals): Promise<number> {
  const loggers = await openLogging(loggingOptions(config));
  const events = new Events(loggers);
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const app = await createApp(config, appEvents(events));
  const servers: Bun.Server<undefined>[] = [];
  const socketPath = join(config.dataDir, COMMAND_SOCKET);
  try {
    servers.push(...listen(app, config, options), await listenForCommands(app, socketPath, events));
  } catch (thrown) {
    for (const server of servers) server.stop(true);
    await app.close();
    // They are shown once, and this was the once.
    if (typeof app.firstKeys === "object") options.stdout(`${firstKeysLines(app.firstKeys).join("\n")}\n\n`);
    throw thrown;
  }
  const addresses = servers.flatMap((server) =>
    server.port === undefined ? [] : [`${server.hostname}:${server.port}`],
  );
  await offerBetterModel(app, config, options, signals.stopping);
  options.stdout(await welcomeText(app, config, addresses, commandPrefix(options.flags)));
  if (isOpenToOthers(config.dataDir)) {
    events.warned(`${config.dataDir} can be entered by other users of this machine; chmod 700 closes it.`);
  }
  events.serverStarted({
    version: VERSION,
    mode: config.mode,
    listen: addresses,
    database: config.database.path,
    pid: process.pid,
  });
  void app.preload().catch((thrown) => events.unexpected("preload", thrown));
  const state: Running = { app, config, events, loggers, options, servers, socketPath };
  let reloading = Promise.resolve();
  signals.onReload(() => {
    reloading = reloading.then(() => reload(state));
  });
  const reason = await signals.stopped;
  signals.onReload(() => {});
  await reloading;
  return await stop(state, reason);
}

interface Running {
  readonly app: App;
  config: Config;
  readonly events: Events;
  loggers: Loggers;
  readonly options: ServeOptions;
  readonly servers: readonly Bun.Server<undefined>[];
  /** Where commands reach this server. */
  readonly socketPath: string;
}

function listen(app: App, config: Config, options: ServeOptions): Bun.Server<undefined>[] {
  const { host, port, listen: more } = config.server;
  const servers: Bun.Server<undefined>[] = [];
  for (const address of [{ host, port, required: true }, ...more]) {
    try {
      servers.push(
        Bun.serve({
          hostname: address.host,
          port: address.port,
          idleTimeout: IDLE_TIMEOUT_S,
          maxRequestBodySize: NO_BODY_LIMIT,
          fetch: (request, server) => app.router.fetch(request, server),
          error: () => new Response(null, { status: 500 }),
        }),
      );
    } catch (thrown) {
      const text = listenProblem(address, thrown);
      if (address.required) {
        for (const server of servers) server.stop(true);
        throw new GatewayFailure({ kind: "conflict", message: text }, thrown);
      }
      options.stderr(`Warning: ${text}\n`);
    }
  }
  return servers;
}

function listenProblem({ host, port }: { host: string; port: number }, thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  if (code === "EADDRINUSE") {
    return `Port ${port} on ${host} is taken by another program. Stop it, or choose another port with --port.`;
  }
  if (code === "EACCES")
    return `This user may not listen on port ${port} of ${host}. Choose one above 1023 with --port.`;
  return `Cannot listen on ${host}:${port} (${code || "unknown reason"}).`;
}

/** Commands come over a socket that only this user can open: the file's permission is the credential. */
async function listenForCommands(app: App, path: string, events: Events): Promise<Bun.Server<undefined>> {
  // A server with another database may use the folder; a socket that nobody answers on was left by one that was killed.
  if (await acceptsConnections(path)) {
    const text = `Another Parallama process listens on ${path}. Stop it, or choose another folder with --data-dir.`;
    throw new GatewayFailure({ kind: "conflict", message: text });
  }
  rmSync(path, { force: true });
  // It must never be open to others, not even for the moment between its creation and a chmod.
  const umask = process.umask(0o177);
  try {
    return serveCommands(app, path, events);
  } finally {
    process.umask(umask);
  }
}

function serveCommands(app: App, path: string, events: Events): Bun.Server<undefined> {
  const server = Bun.serve({
    unix: path,
    fetch: async (request: Request) => {
      const name = /^\/admin\/v1\/operations\/([^/]+)$/.exec(new URL(request.url).pathname)?.[1] ?? "";
      const result = await operationRoute(app.run, name, request, "local");
      return result.ok ? Response.json(result.value) : errorResponse("gateway", result.error, "");
    },
    error(thrown) {
      events.unexpected("command", thrown);
      return errorResponse("gateway", toGatewayError(thrown), "");
    },
    ...NO_IDLE_TIMEOUT,
  });
  return server as unknown as Bun.Server<undefined>;
}

/**
 * SIGTERM and SIGINT stop the server; SIGHUP reads the configuration again. Listened for from the very start, since the
 * system would end the process: one that comes while the server starts is heeded when it has started.
 */
function listenForSignals() {
  const { promise: stopped, resolve } = Promise.withResolvers<string>();
  const stopping = new AbortController();
  void stopped.then(() => stopping.abort());
  let reloadNow: (() => void) | undefined;
  let missed = false;
  process.on("SIGTERM", () => resolve("SIGTERM"));
  process.on("SIGINT", () => resolve("SIGINT"));
  process.on("SIGHUP", () => {
    if (reloadNow === undefined) missed = true;
    else reloadNow();
  });
  return {
    /** Resolves with the name of the signal. */
    stopped,
    stopping: stopping.signal,
    onReload(callback: () => void) {
      reloadNow = callback;
      if (missed) callback();
      missed = false;
    },
  };
}

type Signals = ReturnType<typeof listenForSignals>;

async function reload(state: Running): Promise<void> {
  const { events, options } = state;
  try {
    const loaded = load(state.config.mode, options.flags);
    if (!loaded.ok) {
      events.configurationRefused(loaded.errors.map(problemText));
      return;
    }
    const { changed, needRestart } = diffConfig(state.config, loaded.config);
    const next = reloadedConfig(state.config, loaded.config);
    state.loggers.flush();
    state.loggers = await openLogging(loggingOptions(next));
    events.use(state.loggers);
    await state.app.reconfigure(next);
    state.config = next;
    events.configurationReloaded(changed, needRestart);
  } catch (thrown) {
    if (thrown instanceof GatewayFailure) events.configurationRefused([thrown.error.message]);
    else events.unexpected("reload", thrown);
  }
}

/**
 * Takes no new work, lets what is under way end, writes everything down. After the drain timeout, or at a second signal,
 * what is still under way is ended with an error in its caller's protocol.
 */
async function stop(state: Running, reason: string): Promise<number> {
  const { app, config, events, servers, socketPath } = state;
  events.serverStopping(reason);
  app.drain();
  const impatient = new Promise<void>((resolve) => {
    process.on("SIGTERM", () => resolve());
    process.on("SIGINT", () => resolve());
  });
  await Promise.race([untilIdle(state, config.server.drainTimeoutMs), impatient]);
  app.interrupt();
  await untilIdle(state, ENDING_MS);
  for (const server of servers) server.stop(true);
  await untilIdle(state, 5_000);
  rmSync(socketPath, { force: true });
  const unwritten = await app.close();
  events.serverStopped(unwritten);
  await state.loggers.close();
  return unwritten === 0 ? 0 : 1;
}

/** Waits until no request is in progress and every answer has left. */
async function untilIdle({ app, servers }: Running, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs;
  const isBusy = () => app.inProgress.size > 0 || servers.some((server) => server.pendingRequests > 0);
  while (isBusy() && performance.now() < endMs) await Bun.sleep(20);
}

function load(mode: ConfigMode, flags: ConfigFlags): LoadedConfig {
  return loadConfig({
    mode,
    flags,
    env: process.env,
    cwd: process.cwd(),
    readFile: readConfigText,
    isWritableDirectory,
  });
}

function problemText({ key, source, message }: { key: string; source: string; message: string }): string {
  return `${key === "" ? "" : `${key}: `}${message} (${source})`;
}

function loggingOptions(config: Config) {
  const { level, format, dir, maxBytes, backupCount, access } = config.logging;
  const shown = format === "auto" ? (process.stdout.isTTY ? "text" : "json") : format;
  return {
    level: level as LogLevel,
    format: shown,
    dir,
    maxBytes,
    backupCount,
    access,
    write: (text: string, written: () => void) => {
      process.stdout.write(text, () => written());
    },
  };
}

function appEvents(events: Events) {
  return {
    finished: events.finished.bind(events),
    failed: events.failed.bind(events),
    answered: events.answered.bind(events),
    unexpected: events.unexpected.bind(events),
    journalFailing: events.journalFailing.bind(events),
    journalRecovered: events.journalRecovered.bind(events),
    localProcess: (event: object) => events.localProcess(flatFields(event)),
  };
}

/** The scalar fields of an event; what is deeper is not for a log line. */
function flatFields(event: object): Record<string, string | number | boolean | null> {
  const fields: Record<string, string | number | boolean | null> = {};
  for (const [name, value] of Object.entries(event)) {
    if (value === null || ["string", "number", "boolean"].includes(typeof value))
      fields[name === "event" ? "what" : name] = value;
  }
  return fields;
}
