import type { Command } from "commander";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import { showBytes, showCount } from "../text/show-value.ts";
import { renderTable, renderValues } from "../text/table.ts";

export function addDatabaseCommands(program: Command, context: CommandContext): void {
  const database = program.command("db").description("Database: where it is and what is in it.");
  addExamples(database, ["db info"]);
  const info = database
    .command("info")
    .description("Show where the database is, how large, of which version, and how many rows it has.")
    .action((_: object, command: Command) =>
      inSession(context, command, async (session) => {
        session.show(await session.call("db.info", {}), ({ engine, path, sizeBytes, schema, rows }, style) =>
          [
            renderValues(
              "Database",
              [
                ["Engine", engine],
                ["Path", path],
                ["Size", showBytes(sizeBytes)],
                ["Schema", schema],
              ],
              style,
            ),
            "",
            renderTable(
              [{ head: "Table" }, { head: "Rows", align: "right" }],
              Object.entries(rows).map(([table, count]) => [table, showCount(count)]),
              style,
            ),
          ].join("\n"),
        );
      }),
    );
  addExamples(info, ["db info", "db info --json"]);
}
