import type { Command } from "commander";
import { CliFailure, EXIT_USAGE } from "../cli-failure.ts";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import { deleteModelFiles } from "../delete-model-files.ts";
import type { OperationOutput } from "../operation-types.ts";
import { type PullCommandOptions, pullToModels } from "../pull-to-models.ts";
import type { Session } from "../session.ts";
import { showBytes } from "../text/show-value.ts";
import { type Column, renderTable } from "../text/table.ts";

interface AddOptions {
  readonly provider: string;
  readonly model: string;
  readonly alias?: readonly string[];
}

interface RemoveOptions {
  readonly deleteFile?: boolean;
  readonly yes?: boolean;
}

const COLUMNS: readonly Column[] = [
  { head: "Name" },
  { head: "ID", align: "right", isFirm: true },
  { head: "Served By" },
  { head: "Aliases" },
  { head: "Status", tone: (status) => (status === "ready" ? "good" : "attention") },
];

export function addModelCommands(program: Command, context: CommandContext): void {
  const model = program.command("model").description("Models: what callers may ask for, and who serves it.");
  addExamples(model, ["model list", "model pull hf:ggml-org/SmolLM2-135M-Instruct-GGUF"]);
  addList(model, context);
  addPull(model, context);
  addAdd(model, context);
  addRemove(model, context);
}

function addList(model: Command, context: CommandContext): void {
  const list = model
    .command("list")
    .description("List every model that is known, who serves it, and why not where nobody can.")
    .action((_: object, command: Command) =>
      inSession(context, command, async (session) => {
        session.show(await session.call("models.list", {}), ({ models }, style) => {
          const rows = models.map(({ name, id, targets, aliases, unavailable }) => [
            name,
            id === null ? "-" : String(id),
            targets.map((target) => `${target.provider}/${target.model}`).join(", "),
            aliases.join(", "),
            unavailable ?? "ready",
          ]);
          return renderTable(COLUMNS, rows, style);
        });
      }),
    );
  addExamples(list, ["model list", "model list --json"]);
}

function addPull(model: Command, context: CommandContext): void {
  const pull = model
    .command("pull")
    .description("Download a GGUF model into the models directory and offer it under a name.")
    .argument("<reference>", "hf:owner/repo[:quantisation], an https address, or a file")
    .option("--name <name>", "name to offer it under (default: from the file's name)")
    .option("--force", "download again, and replace another model of the same name")
    .option("--sha256 <hex>", "the SHA-256 that the file must have")
    .action((reference: string, options: PullCommandOptions, command: Command) =>
      inSession(context, command, (session) => pullToModels(session, reference, options)),
    );
  addExamples(pull, [
    "model pull hf:ggml-org/SmolLM2-135M-Instruct-GGUF",
    "model pull hf:bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M --name llama",
    "model pull ./my-model.gguf",
  ]);
}

function addAdd(model: Command, context: CommandContext): void {
  const add = model
    .command("add")
    .description("Name a model and say who serves it.")
    .argument("<name>", "what callers ask for")
    .requiredOption(
      "--provider <provider>",
      "a provider of the configuration: openai, anthropic, ollama, local, ...",
    )
    .requiredOption(
      "--model <model>",
      "the provider's own name of it; for local, a GGUF file in the models directory",
    )
    .option("--alias <name...>", "further names")
    .action((name: string, options: AddOptions, command: Command) =>
      inSession(context, command, async (session) => {
        const { provider, model: target, alias = [] } = options;
        const added = await session.call("models.add", {
          name,
          provider,
          model: target,
          aliases: [...alias],
        });
        session.show(
          added,
          (shown) => `Model '${shown.name}' added successfully (id ${shown.id}, ${provider}/${target})`,
        );
      }),
    );
  addExamples(add, [
    "model add fast --provider openai --model gpt-4o-mini",
    "model add house --provider local --model house-q4_k_m.gguf --alias home default",
  ]);
}

function addRemove(model: Command, context: CommandContext): void {
  const remove = model
    .command("remove")
    .description("Remove a model that was added or pulled.")
    .argument("<name>", "its name or id")
    .option("--delete-file", "delete its file from the models directory too")
    .option("-y, --yes", "do not ask (nobody is asked where there is no terminal)")
    .action((name: string, options: RemoveOptions, command: Command) =>
      inSession(context, command, async (session) => {
        const isDeleting = options.deleteFile === true;
        if (isDeleting && session.isRemote) {
          throw new CliFailure("--delete-file works only where the server runs, not with --url", EXIT_USAGE);
        }
        const question = isDeleting
          ? `Remove model '${name}' and delete its file?`
          : `Remove model '${name}'?`;
        await session.confirm(question, options.yes === true);
        const removed = await session.call("models.remove", { model: name });
        const files = isDeleting ? await deleteFiles(session, removed) : [];
        session.show(removed, () => [`Model '${removed.name}' removed successfully`, ...files].join("\n"));
        const kept = isDeleting ? [] : localFiles(removed);
        if (kept.length > 0)
          session.note(`Its file stays, and callers can ask for it by its name: ${kept.join(", ")}`);
      }),
    );
  addExamples(remove, ["model remove fast", "model remove smollm2-135m-instruct-q4_k_m --delete-file --yes"]);
}

function localFiles({ targets }: OperationOutput<"models.remove">): string[] {
  return targets
    .filter(({ provider, model }) => provider === "local" && model.endsWith(".gguf"))
    .map(({ model }) => model);
}

/** Deletes what no other model needs; says what became of each file. */
async function deleteFiles(session: Session, removed: OperationOutput<"models.remove">): Promise<string[]> {
  const { config } = await session.loadConfig();
  const { models } = await session.call("models.list", {});
  const lines: string[] = [];
  for (const file of localFiles(removed)) {
    // A file in the models directory is listed under its own name, which is no other model.
    const isListing = (id: number | null, name: string) => id === null && file === `${name}.gguf`;
    const users = models.filter(
      ({ id, name, targets }) =>
        !isListing(id, name) && targets.some(({ provider, model }) => provider === "local" && model === file),
    );
    if (users.length > 0) {
      lines.push(`Kept ${file}: ${users.map(({ name }) => `'${name}'`).join(", ")} needs it`);
      continue;
    }
    const { deleted, freedBytes } = await deleteModelFiles(config.local.modelsDir, file);
    lines.push(
      deleted.length === 0
        ? `There is no file ${file} in ${config.local.modelsDir}`
        : `Deleted ${deleted.join(", ")} (${showBytes(freedBytes)})`,
    );
  }
  return lines;
}
