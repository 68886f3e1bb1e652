import type { Command } from "commander";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import { countOption } from "../option-parsers.ts";
import { renderRequests, renderUsageFigures } from "../render-usage.ts";

const MOST_REQUESTS = 1_000;

export function addUsageCommands(program: Command, context: CommandContext): void {
  const usage = program.command("usage").description("Usage: who used what, and what it cost.");
  addExamples(usage, ["usage show alice"]);
  const show = usage
    .command("show")
    .description("Show what a user used today, this hour and in all (UTC), and its latest requests.")
    .argument("<username>", "user name or id")
    .option("--latest <n>", "how many of the latest requests", countOption(MOST_REQUESTS), 10)
    .action((username: string, options: { latest: number }, command: Command) =>
      inSession(context, command, async (session) => {
        const output = await session.call("usage.show", { username, latest: options.latest });
        session.show(output, ({ username: name, latest, ...figures }, style) => {
          const summary = [
            style.paint(`Usage of '${name ?? username}'`, "heading"),
            renderUsageFigures(figures, style),
          ];
          const requests = ["", style.paint("Latest Requests", "heading"), renderRequests(latest, style)];
          return [...summary, ...(options.latest === 0 ? [] : requests)].join("\n");
        });
      }),
    );
  addExamples(show, ["usage show alice", "usage show alice --latest 50", "usage show alice --json"]);
}
