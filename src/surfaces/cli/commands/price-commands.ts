import type { Command } from "commander";
import { CliFailure, EXIT_USAGE } from "../cli-failure.ts";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import type { OperationOutput } from "../operation-types.ts";
import { momentOption, usdOption } from "../option-parsers.ts";
import { showTime, showUsd } from "../text/show-value.ts";
import type { Style } from "../text/style.ts";
import { type Column, renderTable } from "../text/table.ts";
import { addPriceImport } from "./price-import-command.ts";

type Price = OperationOutput<"prices.set">;

interface SetOptions {
  readonly provider?: string;
  readonly perRequest?: string;
  readonly input?: string;
  readonly output?: string;
  readonly cacheRead?: string;
  readonly cacheWrite?: string;
  readonly reasoning?: string;
  readonly from?: string;
}

interface ListOptions {
  readonly model?: string;
  readonly provider?: string;
  readonly all?: boolean;
}

const COLUMNS: readonly Column[] = [
  { head: "Model" },
  { head: "Provider" },
  { head: "Input", align: "right", isFirm: true },
  { head: "Output", align: "right", isFirm: true },
  { head: "Cache Read", align: "right", isFirm: true },
  { head: "Cache Write", align: "right", isFirm: true },
  { head: "Reasoning", align: "right", isFirm: true },
  { head: "Request", align: "right", isFirm: true },
  { head: "From" },
  { head: "Source" },
];

const AMOUNTS = ["perRequest", "input", "output", "cacheRead", "cacheWrite", "reasoning"] as const;
const UNITS = "US dollars; token prices are per million tokens";

export function addPriceCommands(program: Command, context: CommandContext): void {
  const price = program.command("price").description(`Prices: what models cost, in ${UNITS}.`);
  addExamples(price, [
    "price list",
    "price set gpt-4o --provider openai --input 2.50 --output 10",
    "price import",
  ]);
  addSet(price, context);
  addList(price, context);
  addPriceImport(price, context);
}

function addSet(price: Command, context: CommandContext): void {
  const set = price
    .command("set")
    .description(
      `Set what a model costs from a moment on, in ${UNITS}. What is not given costs nothing; cached input costs what input costs and reasoning what output costs, unless given. Earlier requests keep their price.`,
    )
    .argument("<model>", "what callers ask for; with --provider, that provider's own name")
    .option("--provider <provider>", "only where this provider serves it")
    .option("--per-request <usd>", "for each request", usdOption)
    .option("--input <usd>", "for a million input tokens", usdOption)
    .option("--output <usd>", "for a million output tokens", usdOption)
    .option("--cache-read <usd>", "for a million input tokens read from the provider's cache", usdOption)
    .option("--cache-write <usd>", "for a million input tokens written to the provider's cache", usdOption)
    .option("--reasoning <usd>", "for a million reasoning tokens", usdOption)
    .option(
      "--from <date>",
      "from when on, such as 2026-12-31 or 2026-12-31T18:00Z (default: now)",
      momentOption(context.io.now, false),
    )
    .action((model: string, options: SetOptions, command: Command) =>
      inSession(context, command, async (session) => {
        if (AMOUNTS.every((name) => options[name] === undefined)) {
          throw new CliFailure(
            "Give at least one amount, such as --input 2.50; --input 0 makes it free",
            EXIT_USAGE,
          );
        }
        const { provider = null, perRequest = "0", input = "0", output = "0", from = null } = options;
        const { cacheRead = null, cacheWrite = null, reasoning = null } = options;
        const amounts = { perRequest, input, output, cacheRead, cacheWrite, reasoning };
        const stored = await session.call("prices.set", { model, provider, ...amounts, effectiveFrom: from });
        session.show(stored, (shown, style) =>
          [`Price of '${shown.model}' set successfully`, "", renderPrices([shown], style)].join("\n"),
        );
      }),
    );
  addExamples(set, [
    "price set gpt-4o --provider openai --input 2.50 --output 10 --cache-read 1.25",
    "price set house --per-request 0.002",
    "price set gpt-4o --input 2 --output 8 --from 2027-01-01",
  ]);
}

function addList(price: Command, context: CommandContext): void {
  const list = price
    .command("list")
    .description(`List the prices in force, in ${UNITS}.`)
    .option("--model <model>", "only of this model")
    .option("--provider <provider>", "only of this provider")
    .option("--all", "earlier and coming ones too")
    .action((options: ListOptions, command: Command) =>
      inSession(context, command, async (session) => {
        const { model, provider, all = false } = options;
        const input = {
          ...(model === undefined ? {} : { model }),
          ...(provider === undefined ? {} : { provider }),
          all,
        };
        session.show(await session.call("prices.list", input), ({ prices }, style) =>
          renderPrices(prices, style),
        );
      }),
    );
  addExamples(list, ["price list", "price list --provider openai", "price list --model gpt-4o --all"]);
}

function renderPrices(prices: readonly Price[], style: Style): string {
  const rows = prices.map((price) => [
    price.model,
    price.provider ?? "any",
    showUsd(price.input),
    showUsd(price.output),
    showUsd(price.cacheRead, "-"),
    showUsd(price.cacheWrite, "-"),
    showUsd(price.reasoning, "-"),
    showUsd(price.perRequest),
    showTime(price.effectiveFrom),
    price.source,
  ]);
  return renderTable(COLUMNS, rows, style);
}
