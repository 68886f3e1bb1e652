import type { Command } from "commander";
import { Option } from "commander";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import type { OperationOutput } from "../operation-types.ts";
import { readTextFile } from "../read-text-file.ts";
import { showCount, showNumberOf } from "../text/show-value.ts";
import type { Style } from "../text/style.ts";
import { renderTable } from "../text/table.ts";

type ListFormat = "parallama" | "litellm";

interface ImportOptions {
  readonly format?: ListFormat;
  readonly provider?: string;
  readonly replaceManual?: boolean;
  readonly dryRun?: boolean;
}

export function addPriceImport(price: Command, context: CommandContext): void {
  const command = price
    .command("import")
    .description(
      "Import a list of prices, in force from now on: the one that comes with the program, or a file. Prices that were set by hand stay.",
    )
    .argument(
      "[file]",
      "a list in JSON, or - for standard input (default: the list that comes with the program)",
    )
    .addOption(
      new Option("--format <format>", "of the file (default: as its content says)").choices([
        "parallama",
        "litellm",
      ]),
    )
    .option("--provider <provider>", "only this provider's prices")
    .option("--replace-manual", "replace prices that were set by hand too")
    .option("--dry-run", "only say what would be imported")
    .action((file: string | undefined, options: ImportOptions, self: Command) =>
      inSession(context, self, async (session) => {
        const { provider, replaceManual = false, dryRun = false } = options;
        const choices = { ...(provider === undefined ? {} : { provider }), replaceManual, dryRun };
        const text = file === undefined ? undefined : await readTextFile(session.io, file);
        const list =
          text === undefined
            ? { format: "builtin" as const }
            : { format: options.format ?? formatOf(text), text };
        const output = await session.call("prices.import", { ...list, ...choices });
        session.show(output, (shown, style) => renderImport(shown, dryRun, style));
      }),
    );
  addExamples(command, [
    "price import",
    "price import prices.json --dry-run",
    "price import model_prices_and_context_window.json --provider openai",
  ]);
}

/** Each entry of LiteLLM's list names its provider under this key, and ours has none of that name. */
function formatOf(text: string): ListFormat {
  return text.includes('"litellm_provider"') ? "litellm" : "parallama";
}

function renderImport(output: OperationOutput<"prices.import">, isDryRun: boolean, style: Style): string {
  const { imported, unchanged, skipped, skippedCount, source } = output;
  const verb = isDryRun ? "would be imported" : "imported";
  const summary = `${showNumberOf(imported, "price")} ${verb} from ${source}; ${showCount(unchanged)} unchanged, ${showCount(skippedCount)} skipped`;
  if (skipped.length === 0) return summary;
  const rows = skipped.map(({ model, reason }) => [model, reason]);
  const rest = skippedCount - skipped.length;
  const more = rest > 0 ? [`and ${showCount(rest)} more`] : [];
  return [summary, "", renderTable([{ head: "Skipped" }, { head: "Reason" }], rows, style), ...more].join(
    "\n",
  );
}
