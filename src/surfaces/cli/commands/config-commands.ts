import type { Command } from "commander";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import { renderConfig } from "../render-config.ts";

export function addConfigCommands(program: Command, context: CommandContext): void {
  const config = program
    .command("config")
    .description("Configuration: what is in effect, and where it came from.");
  addExamples(config, ["config show"]);
  const show = config
    .command("show")
    .description(
      "Show the merged configuration: the running server's, or what one would start with. No secret is shown.",
    )
    .option("--dev", "what `serve --dev` would start with, where no server runs")
    .action((options: { dev?: boolean }, command: Command) =>
      inSession(context, command, async (session) => {
        if (session.isRemote) {
          session.show(await session.call("config.show", {}), (values) => renderConfig({ values }));
          return;
        }
        const { redactedConfig } = await import("../../../config/redacted-config.ts");
        const loaded = await session.loadConfig(options.dev === true ? "dev" : "production");
        for (const { key, source, message } of loaded.warnings) {
          session.warn([key, `(${source}):`, message].filter((part) => part !== "").join(" "));
        }
        const here = { values: redactedConfig(loaded.config), sources: loaded.sources };
        const server = await context.services.findServer(loaded.config);
        if (server === undefined) {
          session.show(here.values, () => renderConfig(here));
          return;
        }
        session.useClient(server);
        session.show(await session.call("config.show", {}), (values) => renderConfig({ values, here }));
      }),
    );
  addExamples(show, ["config show", "config show --config staging.yaml", "config show --json"]);
}
