import { createInterface } from "node:readline/promises";
import type { App } from "./app.ts";
import type { Config } from "./config/config.ts";
import { pullModel, renderProgress } from "./providers/local/pull/index.ts";
import type { ServeOptions } from "./serve.ts";
import { BETTER_MODEL, suggestedModel } from "./welcome.ts";

/** How long the question waits for an answer; then it is a no. */
const ANSWER_MS = 10_000;

/**
 * At the very first start in development mode, on a terminal, with no model but the one that ships: offers to fetch a
 * small real one. Elsewhere nothing is asked and nothing is fetched. `stopping`: the server is to end, so neither goes on.
 */
export async function offerBetterModel(
  app: App,
  config: Config,
  options: ServeOptions,
  stopping: AbortSignal,
): Promise<void> {
  const first = typeof app.firstKeys === "object";
  if (!first || !process.stdin.isTTY || !process.stdout.isTTY) return;
  if ((await suggestedModel(app)) !== "parallama-demo") return;
  const question = `No model was found. Fetch SmolLM2-135M-Instruct (about 100 MB) from ${config.hub.baseUrl}? [y/N] `;
  if (!(await saysYes(question, stopping))) return;
  const result = await pullModel(BETTER_MODEL, {
    directory: config.local.modelsDir,
    hubUrl: config.hub.baseUrl,
    ...(config.hub.token === null ? {} : { token: config.hub.token.reveal() }),
    signal: stopping,
    onProgress: (progress) => options.stdout(`\r\u001b[K${renderProgress(progress, process.stdout.columns)}`),
  });
  options.stdout("\n");
  if (!result.ok) {
    options.stderr(
      `It could not be fetched: ${result.error.message} The demonstration model answers instead.\n`,
    );
    return;
  }
  await app.catalog.refresh(0);
}

async function saysYes(question: string, stopping: AbortSignal): Promise<boolean> {
  const asked = createInterface({ input: process.stdin, output: process.stdout });
  // While it reads a line, Ctrl-C is a key like any other.
  asked.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const answer = await asked.question(question, {
      signal: AbortSignal.any([stopping, AbortSignal.timeout(ANSWER_MS)]),
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    process.stdout.write("\n");
    return false;
  } finally {
    asked.close();
  }
}
