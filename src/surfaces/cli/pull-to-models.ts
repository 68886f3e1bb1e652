import { basename } from "node:path";
import type { Config } from "../../config/config.ts";
import type { PulledModel } from "../../providers/local/pull/index.ts";
import { CliFailure, EXIT_USAGE } from "./cli-failure.ts";
import { PullProgressView } from "./pull-progress.ts";
import type { Session } from "./session.ts";
import { showBytes } from "./text/show-value.ts";

export interface PullCommandOptions {
  readonly name?: string;
  readonly force?: boolean;
  readonly sha256?: string;
}

/** Downloads a model into the models directory, names it in the catalogue, and says how to call it. */
export async function pullToModels(
  session: Session,
  reference: string,
  options: PullCommandOptions,
): Promise<void> {
  if (session.isRemote) {
    const text =
      "The file would land on this machine, and --url (or PARALLAMA_URL) means another one; run this where the server runs";
    throw new CliFailure(text, EXIT_USAGE);
  }
  const { config } = await session.loadConfig();
  const pulled = await download(session, config, reference, options);
  const added = await session
    .call("models.add", {
      name: pulled.name,
      provider: "local",
      model: basename(pulled.path),
      origin: "pull",
      replace: true,
    })
    .catch((thrown: unknown) => {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new CliFailure(
        `${pulled.path} is complete, but could not be named: ${reason}\nRun the same command again; nothing is downloaded twice.`,
      );
    });
  session.show(added, ({ id, name }, style) => {
    const what = [
      showBytes(pulled.sizeBytes),
      pulled.license === undefined ? "" : `licence ${pulled.license}`,
    ];
    const facts = what.filter((part) => part !== "").join(", ");
    return [
      `${pulled.alreadyThere ? "Already there" : "Pulled"}: ${pulled.path} (${facts})`,
      style.paint(`Model '${name}' is ready (id ${id})`, "good"),
      "",
      ...(session.isServerRunning ? ["Call it:"] : ["Start the server with `parallama serve`, and call it:"]),
      `  curl ${addressOf(config)}/v1/chat/completions \\`,
      `    -H "Authorization: Bearer $PARALLAMA_API_KEY" -H "Content-Type: application/json" \\`,
      `    -d '${JSON.stringify({ model: name, messages: [{ role: "user", content: "Hello!" }] })}'`,
    ].join("\n");
  });
}

async function download(
  session: Session,
  config: Config,
  reference: string,
  options: PullCommandOptions,
): Promise<PulledModel> {
  const { io, services } = session;
  const stop = new AbortController();
  const forgetInterrupt = io.onInterrupt(() => stop.abort());
  const view = new PullProgressView(io.stderr);
  try {
    const token = config.hub.token?.reveal();
    const result = await services.pullModel(reference, {
      directory: config.local.modelsDir,
      hubUrl: config.hub.baseUrl,
      ...(token === undefined ? {} : { token }),
      ...options,
      signal: stop.signal,
      onProgress: (progress) => view.update(progress),
    });
    if (result.ok) return result.model;
    view.end();
    const { kind, message } = result.error;
    if (kind === "name_taken") throw new CliFailure(`${message} (--name <name>, or --force)`);
    if (kind !== "cancelled") throw new CliFailure(message);
    throw new CliFailure("Stopped. What has been downloaded is kept; the same command continues there");
  } finally {
    view.end();
    forgetInterrupt();
  }
}

/** Where a caller on this machine reaches the server. */
function addressOf({ server }: Config): string {
  const isEverywhere = server.host === "0.0.0.0" || server.host === "::";
  const host = server.host.includes(":") ? `[${server.host}]` : server.host;
  return `http://${isEverywhere ? "localhost" : host}:${server.port}`;
}
