import { realpathSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { App } from "./app.ts";
import type { Config } from "./config/config.ts";
import type { ConfigFlags } from "./config/config-flags.ts";
import type { CatalogModel } from "./engine/ports.ts";
import type { FirstKeys } from "./first-start.ts";

/** A small model from the hub that answers sensibly, about 100 MB. */
export const BETTER_MODEL = "hf:bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M";
/** GPT-2's own weights, for model 1. */
const GPT2_WEIGHTS = "hf:QuantFactory/gpt2-GGUF:Q8_0";

/**
 * What a person reads when the server has started. Keys are in it once, at the very first start. `command`: what begins a
 * command for this server, as `commandPrefix` gives it.
 */
export async function welcomeText(
  app: App,
  config: Config,
  addresses: readonly string[],
  command: string,
): Promise<string> {
  const url = `http://${addresses[0] ?? "127.0.0.1:8000"}`.replace("0.0.0.0", "localhost");
  const lines = [
    "",
    `Parallama is listening on ${addresses.map((address) => `http://${address}`).join(" and ")} (${config.mode === "dev" ? "development mode" : "production mode"})`,
    `Database: ${config.database.path}`,
  ];
  if (config.mode === "production") lines.push(...productionHints(app, command));
  else lines.push(...(await developmentHints(app, url, command)));
  return `${lines.join("\n")}\n\n`;
}

/**
 * What begins a command that is to reach a server started with these flags, when it is pasted where that was started:
 * the program, and where the server keeps its data.
 */
export function commandPrefix(flags: ConfigFlags, cwd = process.cwd()): string {
  const words = [programName(cwd)];
  if (flags.config !== undefined) words.push("--config", flags.config);
  if (flags.dataDir !== undefined) words.push("--data-dir", flags.dataDir);
  return words.map(shellWord).join(" ");
}

function programName(cwd: string): string {
  const own = fileURLToPath(new URL("../bin/parallama", import.meta.url));
  const onPath = Bun.which("parallama");
  if (onPath !== null && realpathSync(onPath) === own) return "parallama";
  const fromHere = relative(cwd, own);
  return fromHere.startsWith("..") ? own : fromHere;
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function productionHints(app: App, command: string): string[] {
  if (app.firstKeys === undefined) return [];
  return [
    "",
    "This is a new database: nobody has a key yet. To make the first one, for a user called alice:",
    `  ${command} user create alice`,
    `  ${command} key generate alice`,
  ];
}

async function developmentHints(app: App, url: string, command: string): Promise<string[]> {
  const { firstKeys } = app;
  const model = await suggestedModel(app);
  const demo = model === "parallama-demo";
  if (firstKeys === undefined || firstKeys === "filled") {
    return [
      "",
      `The keys were shown at the first start. A new one: ${command} key generate me`,
      ...(demo ? [`A better model:            ${command} model pull ${BETTER_MODEL}`] : []),
    ];
  }
  return [
    ...firstKeysLines(firstKeys),
    "",
    "Try it:",
    `  curl ${url}/v1/chat/completions \\`,
    `    -H "Authorization: Bearer ${firstKeys.userKey}" \\`,
    '    -H "Content-Type: application/json" \\',
    `    -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello!"}]}'`,
    "",
    "With OpenAI's client, two settings:",
    `  base_url = "${url}/v1"`,
    `  api_key  = "${firstKeys.userKey}"`,
    "",
    `See what it used and cost:  ${command} usage show ${firstKeys.username}`,
    `List the models:            ${command} model list`,
    ...(demo ? demoHints(command) : []),
  ];
}

/** The keys that the first start made. */
export function firstKeysLines({ adminKey, userKey, username }: FirstKeys): string[] {
  return [
    "",
    "Your keys. They are shown this once and kept only as digests, so keep them:",
    `  administrator   ${adminKey}`,
    `  user '${username}'       ${userKey}`,
  ];
}

function demoHints(command: string): string[] {
  return [
    "",
    "No other model was found, so 'parallama-demo' answers: a tiny one that comes with the project and has read",
    "little more than Moby-Dick. Its words are real, generated here; its sense is not. Better ones:",
    `  ${command} model pull ${BETTER_MODEL}     # about 100 MB`,
    `  ${command} model pull ${GPT2_WEIGHTS} --name gpt2   # model 1, about 180 MB`,
    "  or start Ollama, or put OPENAI_API_KEY or ANTHROPIC_API_KEY into .env",
  ];
}

/** The model to try first: one of Ollama's, a pulled one, a provider's; the demonstration model if there is nothing. */
export async function suggestedModel(app: App): Promise<string> {
  const models = await app.catalog.list();
  const chat = models.filter((model) =>
    model.targets.some((target) => target.provider.speaks("openai-chat")),
  );
  const free = chat.find(
    (model) => !isSeeded(model) && model.targets.every((target) => !target.provider.paid),
  );
  return (free ?? chat.find((model) => !isSeeded(model)))?.name ?? "parallama-demo";
}

function isSeeded(model: CatalogModel): boolean {
  return model.id !== undefined && model.id <= 3;
}
