import type { Command } from "commander";
import { CliFailure, EXIT_USAGE } from "../cli-failure.ts";
import { addExamples, type CommandContext, inSession } from "../command-setup.ts";
import { momentOption } from "../option-parsers.ts";
import { renderKeys } from "../render-keys.ts";
import type { Session } from "../session.ts";
import { showTime } from "../text/show-value.ts";

interface GenerateOptions {
  readonly name?: string;
  readonly admin?: boolean;
  readonly model?: readonly string[];
  readonly expires?: string;
}

/** Longer than any id or digest prefix that a person types, and not a digest: a key itself. */
const WHOLE_KEY = /^(?![0-9a-f]{8,64}$).{20,}$/;

export function addKeyCommands(program: Command, context: CommandContext): void {
  const key = program.command("key").description("Keys: what callers show to be let in.");
  addExamples(key, ["key generate alice", "key list --username alice", "key revoke 3"]);
  addGenerate(key, context);
  addList(key, context);
  addRevoke(key, context);
}

function addGenerate(key: Command, context: CommandContext): void {
  const generate = key
    .command("generate")
    .description("Make a key for a user. It is shown once and cannot be shown again.")
    .argument("<username>", "user name or id")
    .option("--name <name>", "what it is for")
    .option("--admin", "an administrator's key: it may do what this program may")
    .option("--model <name...>", "the only models that it may call (default: every model)")
    .option(
      "--expires <when>",
      "when it ends: a span such as 30d, or a date such as 2026-12-31 (its first moment, UTC)",
      momentOption(context.io.now, true),
    )
    .action((username: string, options: GenerateOptions, command: Command) =>
      inSession(context, command, async (session) => {
        const created = await session.call("keys.create", {
          username,
          name: options.name ?? null,
          role: options.admin === true ? "admin" : "user",
          allowedModels: options.model === undefined ? null : [...options.model],
          expiresAt: options.expires ?? null,
        });
        for (const model of created.unknownModels) {
          session.warn(`nobody offers a model '${model}' now; the key may use it as soon as somebody does`);
        }
        session.show(created, ({ key: made, secret }, style) => {
          const end = made.expiresAt === null ? "never expires" : `expires ${showTime(made.expiresAt)}`;
          const models = made.allowedModels?.length ? `, only for ${made.allowedModels.join(", ")}` : "";
          return [
            style.paint("API Key:", "heading"),
            secret,
            "",
            style.paint("Store this key securely - it won't be shown again!", "attention"),
            "API key created successfully",
            `ID: ${made.id} (${made.role === "admin" ? "administrator, " : ""}${end}${models})`,
          ].join("\n");
        });
      }),
    );
  addExamples(generate, [
    "key generate alice",
    "key generate alice --name laptop --expires 30d --model llama3.2 gpt-4o-mini",
    "key generate admin --admin --expires 2027-01-01",
    "key generate alice --json | jq -r .secret",
  ]);
}

function addList(key: Command, context: CommandContext): void {
  const list = key
    .command("list")
    .description("List keys. A key itself is never shown, only its end.")
    .option("--username <username>", "only this user's (default: everybody's)")
    .action((options: { username?: string }, command: Command) =>
      inSession(context, command, async (session) => {
        const { username } = options;
        const output = await session.call("keys.list", username === undefined ? {} : { username });
        session.show(output, ({ keys }, style) => renderKeys(keys, style));
      }),
    );
  addExamples(list, ["key list", "key list --username alice"]);
}

function addRevoke(key: Command, context: CommandContext): void {
  const revoke = key
    .command("revoke")
    .description("Revoke a key for good: the next request with it is refused.")
    .argument(
      "<key-id>",
      "the key's id, the beginning of its digest, or - to read the key from standard input",
    )
    .action((reference: string, _: object, command: Command) =>
      inSession(context, command, async (session) => {
        const wanted = reference === "-" ? await readKey(session) : reference;
        if (reference !== "-" && WHOLE_KEY.test(reference)) {
          session.warn(
            "the key is in the shell's history now; `parallama key revoke -` reads it from standard input",
          );
        }
        session.show(
          await session.call("keys.revoke", { key: wanted }),
          ({ id }) => `API key ${id} revoked successfully`,
        );
      }),
    );
  addExamples(revoke, ["key revoke 3", "key revoke 9f86d081884c7d65", "key revoke - < leaked-key.txt"]);
}

async function readKey(session: Session): Promise<string> {
  if (session.io.stdin.isTerminal) session.io.stderr.write("API key: ");
  const key = (await session.io.stdin.readLine())?.trim() ?? "";
  if (key === "") throw new CliFailure("There was no key on standard input", EXIT_USAGE);
  return key;
}
