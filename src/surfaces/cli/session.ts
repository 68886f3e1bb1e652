import type { ConfigMode } from "../../config/config.ts";
import { CliFailure } from "./cli-failure.ts";
import type { CliIo } from "./cli-io.ts";
import type { CliServices, GoodConfig } from "./cli-services.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { OperationClient } from "./operation-client.ts";
import type { CalledOperation, OperationInput, OperationOutput } from "./operation-types.ts";
import { type Style, styleOf } from "./text/style.ts";

/** One run of one command: asks for operations and shows what came of them. */
export class Session {
  readonly io: CliIo;
  readonly services: CliServices;
  readonly options: GlobalOptions;
  /** Of standard output. */
  readonly style: Style;
  #client: OperationClient | undefined;

  constructor(io: CliIo, services: CliServices, options: GlobalOptions) {
    this.io = io;
    this.services = services;
    this.options = options;
    this.style = styleOf(io.stdout, io.env, options.color);
    if (options.adminKey !== undefined) {
      this.warn("a key on the command line stays in the shell's history; PARALLAMA_ADMIN_KEY does not");
    }
  }

  /** An operation's output. Connects at the first call, and keeps the connection. */
  async call<Name extends CalledOperation>(
    name: Name,
    input: OperationInput<Name>,
  ): Promise<OperationOutput<Name>> {
    this.#client ??= await this.services.connect(this.io, this.options, name);
    return (await this.#client.run(name, input)) as OperationOutput<Name>;
  }

  /** Takes a client over that was found in another way; the session closes it. */
  useClient(client: OperationClient): void {
    this.#client = client;
  }

  /** Prints an output: as JSON with `--json`, otherwise as `render` writes it. */
  show<Output>(output: Output, render: (output: Output, style: Style) => string): void {
    const text =
      this.options.json === true ? JSON.stringify(output, undefined, 2) : render(output, this.style);
    this.io.stdout.write(`${text}\n`);
  }

  warn(message: string): void {
    const { paint } = styleOf(this.io.stderr, this.io.env, this.options.color);
    this.io.stderr.write(`${paint("Warning:", "attention")} ${message}\n`);
  }

  /** A line beside the result: on standard error, so that what is piped stays clean. */
  note(message: string): void {
    this.io.stderr.write(`${message}\n`);
  }

  /** Asks before something that cannot be undone, if there is somebody to ask. Throws when the answer is not yes. */
  async confirm(question: string, isConfirmed: boolean): Promise<void> {
    if (isConfirmed || !this.io.stdin.isTerminal) return;
    this.io.stderr.write(`${question} [y/N] `);
    const answer = await this.io.stdin.readLine();
    if (answer === undefined) this.io.stderr.write("\n");
    if (!/^\s*y(?:es)?\s*$/i.test(answer ?? "")) throw new CliFailure("Cancelled, nothing was changed");
  }

  /** The configuration of this place; whatever is wrong with it is thrown. */
  loadConfig(mode: ConfigMode = "dev"): Promise<GoodConfig> {
    return this.services.loadConfig(this.io, this.options, mode);
  }

  /** True if the command is about another machine's server, whose files cannot be reached from here. */
  get isRemote(): boolean {
    return (this.options.url ?? this.io.env.PARALLAMA_URL ?? "").trim() !== "";
  }

  /** True once an operation was done by a running server. */
  get isServerRunning(): boolean {
    return this.#client?.where === "server";
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
  }
}
