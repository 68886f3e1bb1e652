import { Command } from "commander";
import manifest from "../../../package.json" with { type: "json" };
import { addExamples, type CommandContext } from "./command-setup.ts";
import { addConfigCommands } from "./commands/config-commands.ts";
import { addDatabaseCommands } from "./commands/database-commands.ts";
import { addHelpCommand } from "./commands/help-command.ts";
import { addKeyCommands } from "./commands/key-commands.ts";
import { addModelCommands } from "./commands/model-commands.ts";
import { addPriceCommands } from "./commands/price-commands.ts";
import { addServeCommand } from "./commands/serve-command.ts";
import { addUsageCommands } from "./commands/usage-commands.ts";
import { addUserCommands } from "./commands/user-commands.ts";
import { addGlobalOptions, type GlobalOptions } from "./global-options.ts";
import { styleOf } from "./text/style.ts";

const DESCRIPTION = [
  "A gateway for language models: keys and exact costs, in front of Ollama, OpenAI, Anthropic and local models.",
  "Commands ask the server that runs on the same data directory; without one, they open its database themselves. Times are in UTC.",
  "Exit codes: 0 done, 1 it failed, 2 it was called wrongly.",
].join("\n\n");

/** The whole command line, as a tree of commands. */
export function createProgram(context: CommandContext): Command {
  const { stdout, stderr, env } = context.io;
  const program = new Command("parallama")
    .description(DESCRIPTION)
    .version(manifest.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError("Add --help to see what it takes.")
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 80,
      getErrHelpWidth: () => stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => {
        const { paint } = styleOf(stderr, env, program.opts<GlobalOptions>().color);
        write(text.replace(/^error:/, paint("Error:", "bad")));
      },
    });
  addGlobalOptions(program);
  addExamples(program, [
    "serve --dev",
    "user create alice",
    "key generate alice",
    "model pull hf:ggml-org/SmolLM2-135M-Instruct-GGUF",
    "user create --help",
  ]);
  addServeCommand(program, context);
  addUserCommands(program, context);
  addKeyCommands(program, context);
  addUsageCommands(program, context);
  addModelCommands(program, context);
  addPriceCommands(program, context);
  addConfigCommands(program, context);
  addDatabaseCommands(program, context);
  addHelpCommand(program);
  for (const command of program.commands) command.helpCommand(false);
  return program;
}
