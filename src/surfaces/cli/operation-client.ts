import { join } from "node:path";
import type { OperationRunner } from "../../app.ts";
import type { Config } from "../../config/config.ts";
import { acceptsConnections, COMMAND_SOCKET } from "../command-socket.ts";
import { CliFailure, EXIT_ERROR, EXIT_USAGE } from "./cli-failure.ts";

/** Runs operations, wherever that is. */
export interface OperationClient {
  /** `server`: a running server does it; `process`: this process has opened the database itself. */
  readonly where: "server" | "process";
  /** The operation's output. A refusal is thrown as `CliFailure`. */
  run(name: string, input: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** Also for operations that ask slow providers; a server that takes longer will not answer at all. */
const ANSWER_TIMEOUT_MS = 120_000;

/** Asks a server at an address, as the administrator whose key this is. */
export function remoteClient(url: string, adminKey: string | undefined): OperationClient {
  const base = checkedUrl(url);
  const headers: Record<string, string> =
    adminKey === undefined ? {} : { authorization: `Bearer ${adminKey}` };
  return httpClient(base, { headers }, base, adminKey === undefined);
}

/** Asks the server that listens on a command socket; `undefined` if none does. */
export async function socketClient(dataDir: string): Promise<OperationClient | undefined> {
  const path = join(dataDir, COMMAND_SOCKET);
  if (!(await acceptsConnections(path))) return undefined;
  return httpClient("http://localhost", { unix: path }, `the server at ${path}`, false);
}

/** Does it here: opens the database, under the lock that a server would take. */
export async function inProcessClient(
  config: Config,
  openOperations: (config: Config) => Promise<OperationRunner>,
): Promise<OperationClient> {
  const runner = await openOperations(config);
  return {
    where: "process",
    async run(name, input) {
      const result = await runner.run(name, input);
      if (!result.ok) throw new CliFailure(result.error.message);
      return result.value;
    },
    close: () => runner.close(),
  };
}

function httpClient(
  base: string,
  transport: { readonly headers?: Record<string, string>; readonly unix?: string },
  shownAs: string,
  isWithoutKey: boolean,
): OperationClient {
  return {
    where: "server",
    async run(name, input) {
      const response = await fetch(`${base}/admin/v1/operations/${encodeURIComponent(name)}`, {
        method: "POST",
        ...transport,
        headers: { "content-type": "application/json", ...transport.headers },
        body: JSON.stringify(input),
        // A redirect could lead the administrator's key elsewhere.
        redirect: "manual",
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      }).catch((thrown: unknown) => {
        throw new CliFailure(`${shownAs} does not answer (${reasonOf(thrown)})`, EXIT_ERROR);
      });
      const body = await jsonOf(response);
      if (response.ok && body !== undefined) return body;
      const hint =
        response.status === 401 && isWithoutKey ? ". Give --admin-key, or set PARALLAMA_ADMIN_KEY" : "";
      throw new CliFailure(
        (messageIn(body) ??
          `${shownAs} answered with status ${response.status}, which is not an answer of Parallama`) + hint,
      );
    },
    close: async () => {},
  };
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new CliFailure(`'${text}' is not an address such as http://localhost:8000`, EXIT_USAGE);
  }
  if (url.username !== "" || url.password !== "") {
    throw new CliFailure(
      "The address must not contain credentials; use --admin-key or PARALLAMA_ADMIN_KEY",
      EXIT_USAGE,
    );
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

function messageIn(body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || !("error" in body)) return undefined;
  const { error } = body;
  if (typeof error !== "object" || error === null || !("message" in error)) return undefined;
  return typeof error.message === "string" ? error.message : undefined;
}

function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return "unknown error";
  if (thrown.name === "TimeoutError") return `no answer in ${ANSWER_TIMEOUT_MS / 1000} s`;
  return "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.message;
}
