import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Config, ConfigMode } from "../../config/config.ts";
import type { LoadedConfig } from "../../config/load-config.ts";
import type { PullOptions, PullResult } from "../../providers/local/pull/index.ts";
import type { ServeOptions } from "../../serve.ts";
import { CliFailure } from "./cli-failure.ts";
import type { CliIo } from "./cli-io.ts";
import { configFlagsOf, type GlobalOptions } from "./global-options.ts";
import { inProcessClient, type OperationClient, remoteClient, socketClient } from "./operation-client.ts";
import type { CalledOperation } from "./operation-types.ts";

export type GoodConfig = Extract<LoadedConfig, { readonly ok: true }>;

/** The parts of the program that commands reach. A test brings its own. */
export interface CliServices {
  /** What a command would start with. Throws `CliFailure` with all that is wrong. */
  loadConfig(io: CliIo, options: GlobalOptions, mode: ConfigMode): Promise<GoodConfig>;
  /**
   * By address, by the command socket, or by opening the database, in this order. A database is made only for an
   * `operation` that changes something.
   */
  connect(io: CliIo, options: GlobalOptions, operation: CalledOperation): Promise<OperationClient>;
  /** The running server's client, and `undefined` if there is none. */
  findServer(config: Config): Promise<OperationClient | undefined>;
  serve(options: ServeOptions): Promise<number>;
  pullModel(reference: string, options: PullOptions): Promise<PullResult>;
}

/** The real ones. Each loads its code when it is needed, so that every command starts fast. */
export const systemServices: CliServices = {
  async loadConfig(io, options, mode) {
    const { loadConfig } = await import("../../config/load-config.ts");
    const { isWritableDirectory, readConfigText } = await import("../../config/config-files.ts");
    const flags = configFlagsOf(options);
    const { env, cwd } = io;
    const loaded = loadConfig({ mode, flags, env, cwd, readFile: readConfigText, isWritableDirectory });
    if (loaded.ok) return loaded;
    const lines = loaded.errors.map(({ key, source, message }) => {
      const where = [key, source === "" ? "" : `(${source})`].filter((part) => part !== "").join(" ");
      return `  ${where === "" ? "" : `${where}: `}${message}`;
    });
    throw new CliFailure(["The configuration cannot be used", ...lines].join("\n"));
  },

  async connect(io, options, operation) {
    const url = options.url ?? nonEmpty(io.env.PARALLAMA_URL);
    if (url !== undefined) return remoteClient(url, options.adminKey ?? nonEmpty(io.env.PARALLAMA_ADMIN_KEY));
    // What `--dev` forgives must not stop a command either: whether a server runs with it is not known here.
    const { config } = await systemServices.loadConfig(io, options, "dev");
    const server = await systemServices.findServer(config);
    if (server !== undefined) return server;
    if (!existsSync(config.database.path)) await prepareDatabaseFolder(io, config, operation);
    const { openOperations } = await import("../../app.ts");
    return inProcessClient(config, openOperations);
  },

  findServer: (config) => socketClient(config.dataDir),

  async serve(options) {
    const { serve } = await import("../../serve.ts");
    return serve(options);
  },

  async pullModel(reference, options) {
    const { pullModel } = await import("../../providers/local/pull/index.ts");
    return pullModel(reference, options);
  },
};

/** Says when a new database will be made: somebody in the wrong directory would wonder where everything went. */
async function prepareDatabaseFolder(
  io: CliIo,
  { dataDir, database }: Config,
  operation: CalledOperation,
): Promise<void> {
  const { findOperation } = await import("../../operations/index.ts");
  if (findOperation(operation)?.changes !== true) {
    const text = `There is no database at ${database.path}. Start the server (npm start, or parallama serve), or make the first user: parallama user create <name>`;
    throw new CliFailure(text);
  }
  io.stderr.write(`Making a new database: ${database.path}\n`);
  for (const folder of [dataDir, dirname(database.path)]) mkdirSync(folder, { recursive: true, mode: 0o700 });
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === "" ? undefined : text.trim();
}
