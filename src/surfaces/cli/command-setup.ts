import type { Command } from "commander";
import type { CliIo } from "./cli-io.ts";
import type { CliServices } from "./cli-services.ts";
import type { GlobalOptions } from "./global-options.ts";
import { Session } from "./session.ts";

/** What the commands of one run share. */
export interface CommandContext {
  readonly io: CliIo;
  readonly services: CliServices;
  /** What the program ends with. */
  exitCode: number;
}

const examplesByCommand = new WeakMap<Command, readonly string[]>();

/** Shows examples at the end of a command's help, each without the program's name. */
export function addExamples(command: Command, examples: readonly string[]): Command {
  examplesByCommand.set(command, examples);
  const lines = examples.map((example) => `  $ parallama ${example}`.trimEnd());
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

export function examplesOf(command: Command): readonly string[] {
  return examplesByCommand.get(command) ?? [];
}

/** Runs a command's action in a session of its own, which is closed however the action ends. */
export async function inSession(
  context: CommandContext,
  command: Command,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const session = new Session(context.io, context.services, command.optsWithGlobals<GlobalOptions>());
  try {
    await action(session);
  } finally {
    await session.close();
  }
}
