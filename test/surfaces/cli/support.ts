import { CliFailure } from "../../../src/surfaces/cli/cli-failure.ts";
import type { CliIo, CliOutput } from "../../../src/surfaces/cli/cli-io.ts";
import { type CliServices, systemServices } from "../../../src/surfaces/cli/cli-services.ts";
import { runCli } from "../../../src/surfaces/cli/run-cli.ts";

export const NOW_MS = Date.parse("2026-11-22T05:23:45.678Z");

export interface Given {
  /** What each operation answers: its output, or how it makes one from its input. */
  readonly operations?: Readonly<Record<string, unknown>>;
  /** Width of the terminal; absent: there is none. */
  readonly columns?: number;
  /** Lines that standard input gives. */
  readonly input?: readonly string[];
  /** Somebody sits there and answers; absent: as `columns` says. */
  readonly isInteractive?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly services?: Partial<CliServices>;
}

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Operations that were asked for, with their inputs. */
  readonly calls: readonly { readonly name: string; readonly input: unknown }[];
  /** How often a client was closed. */
  readonly closed: number;
}

/** An operation that is refused with this message. */
export function refused(message: string): () => never {
  return () => {
    throw new CliFailure(message);
  };
}

/** Runs a command line against operations that only pretend, and gives all that it did. */
export async function run(commandLine: string | readonly string[], given: Given = {}): Promise<Ran> {
  const argv =
    typeof commandLine === "string" ? commandLine.split(" ").filter((word) => word !== "") : commandLine;
  const calls: { name: string; input: unknown }[] = [];
  const out = new Recorder(given.columns);
  const err = new Recorder(given.columns);
  let closed = 0;
  const services: CliServices = {
    ...systemServices,
    connect: async () => ({
      where: "server",
      async run(name, input) {
        calls.push({ name, input });
        const answer = given.operations?.[name];
        if (answer === undefined) throw new Error(`the test has no operation ${name}`);
        return typeof answer === "function" ? answer(input) : answer;
      },
      async close() {
        closed++;
      },
    }),
    findServer: async () => undefined,
    serve: async () => 0,
    ...given.services,
  };
  const exitCode = await runCli(argv, ioOf(given, out, err), services);
  return { exitCode, stdout: out.text, stderr: err.text, calls, closed };
}

function ioOf(given: Given, stdout: CliOutput, stderr: CliOutput): CliIo {
  const lines = [...(given.input ?? [])];
  return {
    stdout,
    stderr,
    stdin: {
      isTerminal: given.isInteractive ?? given.columns !== undefined,
      readLine: async () => lines.shift(),
    },
    env: given.env ?? {},
    cwd: given.cwd ?? "/nowhere",
    now: () => NOW_MS,
    onInterrupt: () => () => {},
  };
}

class Recorder implements CliOutput {
  text = "";
  readonly columns: number | undefined;

  constructor(columns: number | undefined) {
    this.columns = columns;
  }

  get isTerminal(): boolean {
    return this.columns !== undefined;
  }

  write(text: string): void {
    this.text += text;
  }
}

export const ALICE = {
  id: 7,
  username: "alice",
  name: "Alice Liddell",
  email: "alice@example.com",
  state: "active",
  createdAt: "2026-11-01T10:20:30.000Z",
};

export const KEY = {
  id: 3,
  accountId: 7,
  name: "laptop",
  role: "user",
  state: "active",
  allowedModels: null,
  createdAt: "2026-11-02T10:20:30.000Z",
  expiresAt: "2026-12-31T00:00:00.000Z",
  masked: "pk_…a1B2",
  username: "alice",
  hash16: "9f86d081884c7d65",
  lastUsedAt: null,
};

export const NOTHING_USED = { requests: 0, tokens: 0, costUsd: "0.00" };

export const FIGURES = {
  today: { requests: 12, tokens: 34567, costUsd: "0.123456789" },
  currentHour: NOTHING_USED,
  total: { requests: 1200, tokens: 9_876_543, costUsd: "45.60" },
};
