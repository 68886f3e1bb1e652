/** Runs the scripts of this folder with the official Python clients: one process for all cases of a client. */
import { join } from "node:path";
import { isObject, property, stringAt } from "../../support/json-access.ts";
import { skipReason } from "../../support/skip.ts";
import { within } from "../../support/within.ts";

/** A script of this folder, without its ending. */
export type PythonClient = "openai" | "anthropic" | "ollama" | "local";

const patienceMs = 100_000;

/** The interpreter that has the clients; undefined where there is none. */
export const python: string | undefined = findPython();

/** Why the tests with Python's clients are skipped; undefined where they run. */
export const pythonSkipReason: string | undefined = reasonToSkip();

function findPython(): string | undefined {
  const named = process.env.PARALLAMA_TEST_PYTHON ?? "";
  if (named !== "") return named;
  const found = Bun.which("python3");
  if (found === null) return undefined;
  const { exitCode } = Bun.spawnSync([found, "-c", "import anthropic, ollama, openai"]);
  return exitCode === 0 ? found : undefined;
}

function reasonToSkip(): string | undefined {
  if (python !== undefined) return undefined;
  const unreachable = process.env.PARALLAMA_TEST_SKIP_PYTHON ?? "";
  if (unreachable !== "") return skipReason("host unreachable", unreachable);
  const how =
    "name an interpreter that has them by PARALLAMA_TEST_PYTHON (test/scenarios/python/requirements.txt)";
  return skipReason("not installed", `python3 with the clients openai, anthropic and ollama: ${how}`);
}

/** What a program that catches an exception can see of it. */
export interface Raised {
  readonly class: string;
  readonly bases: readonly string[];
  readonly status: number | null;
  readonly message: string;
  readonly code: unknown;
  readonly body: unknown;
  readonly requestId: string | null;
}

/** How the cases of a script went. */
export interface Outcomes {
  readonly names: readonly string[];
  /** What a case returned. Throws if it raised. */
  result(name: string): unknown;
  /** What a case raised. Throws if it returned. */
  raised(name: string): Raised;
}

/** Runs `<client>_cases.py` against a gateway. Rejects when the script itself fails. */
export async function runCases(client: PythonClient, gatewayUrl: string, key: string): Promise<Outcomes> {
  const script = Bun.spawn([python ?? "python3", "-u", join(import.meta.dir, `${client}_cases.py`)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // Nothing of this machine's own: no proxy, no provider's key, no address of an Ollama.
    env: {
      PATH: process.env.PATH ?? "",
      PYTHONDONTWRITEBYTECODE: "1",
      NO_PROXY: "*",
      GATEWAY_URL: gatewayUrl,
      GATEWAY_KEY: key,
    },
  });
  try {
    const output = Promise.all([
      new Response(script.stdout).text(),
      new Response(script.stderr).text(),
      script.exited,
    ]);
    const [stdout, stderr, exitCode] = await within(`Python's ${client} client`, output, patienceMs);
    if (exitCode !== 0) throw new Error(`${client}_cases.py ended with ${exitCode}:\n${stderr}`);
    return outcomes(
      stdout
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    );
  } finally {
    script.kill();
  }
}

function outcomes(lines: readonly unknown[]): Outcomes {
  const byName = new Map(lines.map((line) => [stringAt(line, "case") ?? "", line]));
  const line = (name: string) => {
    const found = byName.get(name);
    if (found === undefined) throw new Error(`the script has no case ${name}`);
    return found;
  };
  return {
    names: [...byName.keys()],
    result(name) {
      const raised = property(line(name), "raised");
      if (raised !== undefined) throw new Error(`${name} raised ${JSON.stringify(raised)}`);
      return property(line(name), "result");
    },
    raised(name) {
      const raised = property(line(name), "raised");
      if (!isRaised(raised)) throw new Error(`${name} returned ${JSON.stringify(line(name))}`);
      return raised;
    },
  };
}

export function isRaised(value: unknown): value is Raised {
  return isObject(value) && typeof value.class === "string" && Array.isArray(value.bases);
}
