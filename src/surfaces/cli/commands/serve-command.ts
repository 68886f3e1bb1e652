import type { Command } from "commander";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import { configFlagsOf } from "../global-options.ts";

interface ServeCommandOptions {
  readonly dev?: boolean;
  readonly host?: string;
  readonly port?: string;
  readonly listen?: readonly string[];
  readonly db?: string;
  readonly logLevel?: string;
  readonly logFormat?: string;
}

export function addServeCommand(program: Command, context: CommandContext): void {
  const serve = program
    .command("serve")
    .description("Run the server until it is told to stop (Ctrl-C or SIGTERM).")
    .option("--dev", "on this machine only, and with what makes trying out easy")
    .option("--host <address>", "address to bind (default: 0.0.0.0, with --dev 127.0.0.1)")
    .option("--port <port>", "port to bind (default: 8000)")
    .option("--listen <address...>", "further addresses, such as 127.0.0.1:8001")
    .option("--db <path>", "database file (default: parallama.db in the data directory)")
    .option("--log-level <level>", "least important level that is logged")
    .option("--log-format <format>", "auto, text or json")
    .action((options: ServeCommandOptions, command: Command) =>
      inSession(context, command, async (session) => {
        const { dev = false, host, port, listen, db, logLevel, logFormat } = options;
        const flags = { ...configFlagsOf(session.options), host, port, listen, db, logLevel, logFormat };
        const { stdout, stderr } = context.io;
        context.exitCode = await context.services.serve({
          dev,
          flags,
          stdout: (text) => stdout.write(text),
          stderr: (text) => stderr.write(text),
        });
      }),
    );
  addExamples(serve, [
    "serve --dev",
    "serve --host 127.0.0.1 --port 8080",
    "serve --config /etc/parallama/config.yaml",
  ]);
}
