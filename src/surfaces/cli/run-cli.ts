import { CommanderError } from "commander";
import { CliFailure, EXIT_ERROR, EXIT_OK, EXIT_USAGE } from "./cli-failure.ts";
import type { CliIo } from "./cli-io.ts";
import { type CliServices, systemServices } from "./cli-services.ts";
import { createProgram } from "./program.ts";
import { styleOf } from "./text/style.ts";

/**
 * Runs the command line. `argv` is without the program's own name. Gives the exit code: 0 done, 1 it failed, 2 it was
 * called wrongly. Nothing is thrown, and the process is not ended.
 */
export async function runCli(
  argv: readonly string[],
  io: CliIo,
  services: CliServices = systemServices,
): Promise<number> {
  const context = { io, services, exitCode: EXIT_OK };
  try {
    await createProgram(context).parseAsync(argv, { from: "user" });
    return context.exitCode;
  } catch (thrown) {
    // Commander has already written what it has to say: help, version, or a usage error.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const { paint } = styleOf(io.stderr, io.env, !argv.includes("--no-color"));
    io.stderr.write(`${paint("Error:", "bad")} ${messageOf(thrown)}\n`);
    return thrown instanceof CliFailure ? thrown.exitCode : EXIT_ERROR;
  }
}

/** A failure says what to do; anything else is a bug or the system's refusal (a full disk), told in its own words. */
function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message === "" ? thrown.name : thrown.message;
  return String(thrown);
}
