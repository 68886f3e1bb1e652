import type { Command } from "commander";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import type { OperationOutput } from "../operation-types.ts";
import { renderKeys } from "../render-keys.ts";
import { renderUsageFigures } from "../render-usage.ts";
import { showNumberOf, showTime } from "../text/show-value.ts";
import { type Style, stateTone } from "../text/style.ts";
import { type Column, renderTable, renderValues } from "../text/table.ts";

type Account = OperationOutput<"accounts.create">;

export function addUserCommands(program: Command, context: CommandContext): void {
  const user = program.command("user").description("Users: who may call, whose usage is counted.");
  addExamples(user, ["user create alice", "user list", "user info alice"]);
  addCreate(user, context);
  addList(user, context);
  addInfo(user, context);
  addDelete(user, context);
}

function addCreate(user: Command, context: CommandContext): void {
  const create = user
    .command("create")
    .description("Make a user. It can call nothing until it has a key: see `parallama key generate`.")
    .argument("<username>", "1 to 64 letters, digits or . _ @ + -")
    .option("--name <name>", "full name")
    .option("--email <address>", "e-mail address")
    .action((username: string, options: { name?: string; email?: string }, command: Command) =>
      inSession(context, command, async (session) => {
        const account = await session.call("accounts.create", {
          username,
          name: options.name ?? null,
          email: options.email ?? null,
        });
        session.show(account, (created, style) =>
          [`User '${created.username}' created successfully`, "", renderAccount(created, style)].join("\n"),
        );
      }),
    );
  addExamples(create, ["user create alice", "user create bob --name 'Bob Miller' --email bob@example.com"]);
}

function addList(user: Command, context: CommandContext): void {
  const columns: Column[] = [
    { head: "Username" },
    { head: "ID", align: "right", isFirm: true },
    { head: "State", isFirm: true, tone: stateTone },
    { head: "Created", isFirm: true },
    { head: "Name" },
  ];
  const list = user
    .command("list")
    .description("List all users, closed ones too.")
    .action((_: object, command: Command) =>
      inSession(context, command, async (session) => {
        session.show(await session.call("accounts.list", {}), ({ accounts }, style) => {
          const rows = accounts.map(({ id, username, state, createdAt, name }) => [
            username ?? "",
            String(id),
            state,
            showTime(createdAt),
            name ?? "",
          ]);
          return renderTable(columns, rows, style);
        });
      }),
    );
  addExamples(list, ["user list", "user list --json"]);
}

function addInfo(user: Command, context: CommandContext): void {
  const info = user
    .command("info")
    .description("Show a user, what it used, and its keys.")
    .argument("<username>", "user name or id")
    .action((username: string, _: object, command: Command) =>
      inSession(context, command, async (session) => {
        session.show(await session.call("accounts.show", { username }), ({ account, usage, keys }, style) =>
          [
            renderAccount(account, style),
            "",
            style.paint("Usage", "heading"),
            renderUsageFigures(usage, style),
            "",
            style.paint("Keys", "heading"),
            renderKeys(keys, style),
          ].join("\n"),
        );
      }),
    );
  addExamples(info, ["user info alice", "user info 7 --json"]);
}

function addDelete(user: Command, context: CommandContext): void {
  const remove = user
    .command("delete")
    .description("Close a user: its keys are revoked for good, what it used stays on the books.")
    .argument("<username>", "user name or id")
    .option("-y, --yes", "do not ask (nobody is asked where there is no terminal)")
    .action((username: string, options: { yes?: boolean }, command: Command) =>
      inSession(context, command, async (session) => {
        await session.confirm(
          `Delete user '${username}'? This action cannot be undone!`,
          options.yes === true,
        );
        session.show(await session.call("accounts.close", { username }), (closed) => {
          const keys = showNumberOf(closed.revokedKeys, "key");
          return `User '${closed.username ?? closed.id}' deleted successfully (${keys} revoked, usage kept)`;
        });
      }),
    );
  addExamples(remove, ["user delete alice", "user delete alice --yes"]);
}

function renderAccount(account: Account, style: Style): string {
  return renderValues(
    "User Details",
    [
      ["ID", String(account.id)],
      ["Username", account.username ?? ""],
      ["Name", account.name ?? "-"],
      ["Email", account.email ?? "-"],
      ["State", account.state],
      ["Created", showTime(account.createdAt)],
    ],
    style,
  );
}
