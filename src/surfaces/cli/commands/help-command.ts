import type { Command } from "commander";
import { nearest } from "../../../config/nearest.ts";
import { addExamples } from "../command-setup.ts";

/** `parallama help key generate`: Commander's own help command knows one level only. */
export function addHelpCommand(program: Command): void {
  const help = program
    .command("help")
    .description("Print the help of a command.")
    .argument("[command...]", "for example: key generate")
    .action((path: readonly string[]) => {
      findCommand(program, path).help();
    });
  addExamples(help, ["help", "help key generate"]);
}

function findCommand(program: Command, path: readonly string[]): Command {
  let command = program;
  for (const name of path) {
    const next = command.commands.find((each) => each.name() === name);
    if (next === undefined) {
      const names = command.commands.map((each) => each.name());
      const close = nearest(name, names);
      return program.error(
        `error: unknown command '${name}'${close === undefined ? "" : `\n(Did you mean ${close}?)`}`,
      );
    }
    command = next;
  }
  return command;
}
