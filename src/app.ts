import { join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { KeyRing } from "./accounts/key-ring.ts";
import type { Config } from "./config/config.ts";
import { redactedConfig } from "./config/redacted-config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { GatewayFailure, gatewayError } from "./core/error.ts";
import { createUlidSource, type RandomBytes, systemRandom } from "./core/ids.ts";
import type { Result } from "./core/result.ts";
import { refuse } from "./core/result.ts";
import { Deadlines } from "./engine/deadlines.ts";
import type { Journal, Keys, Protocol, Provider, RequestObserver } from "./engine/ports.ts";
import { fillCatalog, type KeptProvider, preloadPaths } from "./fill-catalog.ts";
import { ADMIN_HANDLE, type FirstKeys, fillNewDatabase } from "./first-start.ts";
import { GroupJournal } from "./ledger/journal.ts";
import { findOperation } from "./operations/index.ts";
import {
  type OperationContext,
  type ProgramFacts,
  runOperation,
  type Stale,
} from "./operations/operation.ts";
import { MemoryPriceBook } from "./pricing/price-book.ts";
import { inferenceRoutes } from "./protocols/registry.ts";
import { ModelCatalog } from "./providers/catalog.ts";
import { HttpProvider } from "./providers/http-provider.ts";
import { LocalProcess, type LocalProcessEvent } from "./providers/local/local-process.ts";
import { type Db, openDatabase } from "./storage/database.ts";
import { takeLock } from "./storage/lock.ts";
import { HeldBodies } from "./surfaces/http/read-body.ts";
import { createRouter } from "./surfaces/http/router.ts";
import type { PlainRequest } from "./telemetry/events.ts";

export const VERSION: string = manifest.version;

/** What the application tells the world. */
export interface AppEvents extends RequestObserver {
  answered(request: PlainRequest): void;
  unexpected(where: string, cause: unknown): void;
  journalFailing(reason: string): void;
  journalRecovered(): void;
  localProcess(event: LocalProcessEvent): void;
}

/** Parts that a test or a benchmark puts in the place of the real ones. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: RandomBytes;
  readonly journal?: Journal;
  readonly keys?: Keys;
  /** Puts something around a protocol's codec. */
  readonly protocol?: (protocol: Protocol) => Protocol;
}

/** Runs administrative operations, for the command line and the control socket. */
export interface OperationRunner {
  run(name: string, input: unknown, actor?: string): Promise<Result<unknown>>;
  close(): Promise<void>;
}

/** Everything that is made from the database and the configuration: the parts that both a server and a command need. */
async function openParts(config: Config, overrides: Overrides, withKeys: boolean, events?: AppEvents) {
  const lock = takeLockOrRefuse(config);
  try {
    const clock = overrides.clock ?? systemClock();
    const random = overrides.random ?? systemRandom;
    const db = await openDatabase(config.database.path);
    const firstKeys = await fillNewDatabase(db, { clock, random, withKeys });
    const catalog = new ModelCatalog(clock);
    const keys = new KeyRing(clock, (model) => catalog.canonical(model));
    const keptProviders: ReadonlyMap<string, KeptProvider> = new Map();
    const parts = { config, lock, clock, random, db, catalog, keys, firstKeys, keptProviders };
    const prices = new MemoryPriceBook(() => all.config.pricing.unpriced);
    const localProcess = createLocalProcess(config, events);
    const all = { ...parts, prices, localProcess };
    await fillCatalog(all, config);
    await prices.reload(db);
    await reloadKeys(all, config);
    return all;
  } catch (thrown) {
    lock.release();
    throw thrown;
  }
}

type Parts = Awaited<ReturnType<typeof openParts>>;

/** Opens the database in this process to run operations while no server runs. */
export async function openOperations(config: Config): Promise<OperationRunner> {
  const parts = await openParts(config, {}, false);
  return {
    run: (name, input, actor = "local") => runOn(parts, name, input, actor),
    async close() {
      await parts.localProcess.stop();
      await parts.db.destroy();
      parts.lock.release();
    },
  };
}

/** The application of a running server. */
export async function createApp(config: Config, events: AppEvents, overrides: Overrides = {}) {
  const parts = await openParts(config, overrides, config.mode === "dev", events);
  const { clock, catalog, prices, db, localProcess } = parts;
  const keys = overrides.keys ?? parts.keys;
  const around = overrides.protocol ?? ((protocol: Protocol) => protocol);
  const ownJournal =
    overrides.journal === undefined
      ? await GroupJournal.open(config.database.path, {
          failing: (reason) => events.journalFailing(reason),
          recovered: () => events.journalRecovered(),
        })
      : undefined;
  const journal = overrides.journal ?? ownJournal;
  if (journal === undefined) throw new Error("no journal");
  const bodies = new HeldBodies({
    maxBytes: config.server.maxBodyBytes,
    maxHeldBytes: config.server.maxHeldBodyBytes,
  });
  const state = { draining: false };
  const inference = {
    catalog,
    prices,
    journal,
    clock,
    keys,
    bodies,
    observer: events,
    deadlines: new Deadlines(clock),
    newRequestId: createUlidSource(clock, parts.random),
    maxConcurrentRequests: config.server.maxConcurrentRequests,
    inProgress: new Set<never>(),
    answered: (request: PlainRequest) => events.answered(request),
    unexpected: (where: string, cause: unknown) => events.unexpected(where, cause),
    draining: () => state.draining,
  };
  const run = (name: string, input: unknown, actor = "local") => runOn(parts, name, input, actor);
  const router = createRouter({
    catalog,
    prices,
    inference,
    nowMs: () => clock.now(),
    inferenceRoutes: inferenceRoutes({
      maxJsonDepth: config.server.maxJsonDepth,
      ollamaDefaultStream: config.ollama.defaultStream,
    }).map(({ path, protocol }) => ({ path, protocol: around(protocol) })),
    health: {
      version: VERSION,
      startedAtMs: clock.now(),
      nowMs: () => clock.now(),
      storageWorks: async () => journal.refusal() === undefined && (await answers(db)),
      draining: () => state.draining,
      askOllama: () => askFirstOllama(catalog),
    },
    runOperation: run,
    ollamaOf: (provider) =>
      provider.speaks("ollama-chat") && provider instanceof HttpProvider ? provider : undefined,
    ollamas: () =>
      catalog
        .providers()
        .filter((provider) => provider instanceof HttpProvider)
        .filter((p) => p.speaks("ollama-chat")),
  });
  return {
    router,
    catalog,
    firstKeys: parts.firstKeys as FirstKeys | "filled" | undefined,
    run,
    inProgress: inference.inProgress as ReadonlySet<unknown>,
    /** From now on new inferences are refused. */
    drain() {
      state.draining = true;
    },
    /** Ends what is still in progress: streams with an error event, the rest with an error. */
    interrupt() {
      inference.deadlines.interrupt(
        gatewayError("draining", "The gateway was shut down before the answer was complete.", {
          retryAfterMs: 2_000,
        }),
      );
    },
    /** Applies a configuration that was read again. */
    async reconfigure(next: Config) {
      parts.config = next;
      await fillCatalog(parts, next);
      await reloadKeys(parts, next);
    },
    /** Loads the local models that the configuration wants loaded. */
    async preload() {
      const wanted = await preloadPaths(catalog, parts.config, (path) =>
        events.localProcess({ event: "preload-failed", path, status: 404 }),
      );
      if (wanted.length > 0) await localProcess.preload(wanted);
    },
    /** Ends everything; gives the number of rows that could not be written. */
    async close(): Promise<number> {
      const unwritten = (await ownJournal?.drain(5_000)) ?? 0;
      await ownJournal?.close();
      await localProcess.stop();
      await db.destroy();
      parts.lock.release();
      return unwritten;
    },
  };
}

export type App = Awaited<ReturnType<typeof createApp>>;

function takeLockOrRefuse(config: Config) {
  let lock: ReturnType<typeof takeLock>;
  try {
    lock = takeLock(config.database.path);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const text = `The database ${config.database.path} cannot be used (user id ${process.getuid?.() ?? "?"}): ${reason}. Make its folder writable for this user, or choose another with --data-dir.`;
    throw new GatewayFailure(gatewayError("storage_unavailable", text), thrown);
  }
  if (lock !== undefined) return lock;
  const text = `Another Parallama process is using ${config.database.path}. One process at a time may; stop the other one, or choose another database with --data-dir.`;
  throw new GatewayFailure(gatewayError("conflict", text));
}

function createLocalProcess(config: Config, events: AppEvents | undefined): LocalProcess {
  const { threads, gpu, slots, contextTokens, maxLoadedModels } = config.local;
  return new LocalProcess({
    socketPath: join(config.dataDir, "local.sock"),
    gpu,
    slots,
    maxLoadedModels,
    ...(threads === "auto" ? {} : { threads }),
    ...(contextTokens === null ? {} : { contextTokens }),
    onEvent: (event) => events?.localProcess(event),
  });
}

async function reloadKeys(parts: Pick<Parts, "keys" | "db">, config: Config): Promise<void> {
  const secret = config.admin.apiKey?.reveal();
  const admin = await parts.db
    .selectFrom("accounts")
    .select("id")
    .where("handle", "=", ADMIN_HANDLE)
    .executeTakeFirst();
  parts.keys.setBootstrap(
    secret === undefined || admin === undefined ? undefined : { secret, accountId: admin.id },
  );
  await parts.keys.reload(parts.db);
}

async function runOn(parts: Parts, name: string, input: unknown, actor: string): Promise<Result<unknown>> {
  const operation = findOperation(name);
  if (operation === undefined) return refuse(gatewayError("not_found", `There is no operation '${name}'.`));
  const { db, clock, random } = parts;
  const context: OperationContext = { db, clock, random, program: factsOf(parts) };
  const result = await runOperation(context, operation, input, actor);
  if (result.ok) await refresh(parts, operation.stale);
  return result;
}

async function refresh(parts: Parts, stale: readonly Stale[]): Promise<void> {
  if (stale.includes("models")) await fillCatalog(parts, parts.config);
  if (stale.includes("prices")) await parts.prices.reload(parts.db);
  if (stale.includes("keys") || stale.includes("models")) await reloadKeys(parts, parts.config);
}

function factsOf(parts: Parts): ProgramFacts {
  return {
    databasePath: parts.config.database.path,
    configuration: () => redactedConfig(parts.config),
    canonicalModel: (name) => parts.catalog.canonical(name),
    knowsModel: (name) => parts.catalog.knows(name),
    providers: () => parts.catalog.providers().map((provider) => provider.name),
    async models() {
      await parts.catalog.refresh(2_000);
      return parts.catalog.all().map(({ id, name, aliases, targets, unavailable }) => ({
        id: id ?? null,
        name,
        aliases,
        targets: targets.map((target) => ({ provider: target.provider.name, model: target.model })),
        unavailable: unavailable?.message ?? null,
      }));
    },
  };
}

async function answers(db: Db): Promise<boolean> {
  try {
    await db.selectFrom("settings").select("name").limit(1).execute();
    return true;
  } catch {
    return false;
  }
}

async function askFirstOllama(catalog: ModelCatalog): Promise<unknown> {
  const ollama: Provider | undefined = catalog.providers().find((provider) => provider.speaks("ollama-chat"));
  if (ollama === undefined)
    throw new GatewayFailure(gatewayError("not_configured", "No Ollama is configured."));
  return await ollama.listModels();
}
