import type { Command } from "commander";
import type { ConfigFlags } from "../../config/config-flags.ts";

/** What every command takes, before or after its own arguments. */
export interface GlobalOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly url?: string;
  readonly adminKey?: string;
  readonly json?: boolean;
  readonly color: boolean;
}

export function addGlobalOptions(program: Command): Command {
  return program
    .option("--config <file>", "configuration file (default: ./parallama.yaml, if there is one)")
    .option("--data-dir <dir>", "directory of database, models and command socket (default: ./data)")
    .option("--url <url>", "ask the server at this address (variable: PARALLAMA_URL)")
    .option("--admin-key <key>", "an administrator's key for --url (better: variable PARALLAMA_ADMIN_KEY)")
    .option("--json", "print the result as JSON, and nothing else")
    .option("--no-color", "no colours (they are used on a terminal only; variable: NO_COLOR)");
}

/** The global options that set keys of the configuration. */
export function configFlagsOf(options: GlobalOptions): ConfigFlags {
  return { config: options.config, dataDir: options.dataDir };
}
