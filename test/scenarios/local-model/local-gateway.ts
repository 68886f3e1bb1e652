import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Usage } from "../../../src/core/usage.ts";
import type { RequestRow } from "../../../src/engine/ports.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";

/** Two slots on one thread: with more, threads that wait for each other spin on a busy machine. */
const YAML = `
local: { threads: 1, slots: 2, context_tokens: 512 }
`;

/** A gateway with real local models; `models` are further GGUF files, each under the name that it is offered by. */
export async function startLocalGateway(models: Readonly<Record<string, string>> = {}): Promise<TestGateway> {
  const dataDir = mkdtempSync(join(tmpdir(), "parallama-test-"));
  mkdirSync(join(dataDir, "models"));
  for (const [name, file] of Object.entries(models)) {
    symlinkSync(file, join(dataDir, "models", `${name}.gguf`));
  }
  const gateway = await startGateway({ dataDir, yaml: YAML });
  const close = async () => {
    await gateway.close();
    rmSync(dataDir, { recursive: true, force: true });
  };
  return { ...gateway, close, [Symbol.asyncDispose]: close };
}

/** The row of one request, once it is there. */
export async function rowOf(gateway: TestGateway, requestId: string | null): Promise<RequestRow> {
  for (let count = 0; ; count += 1) {
    const row = (await gateway.rowsAt(count)).find(({ id }) => id === requestId);
    if (row !== undefined) return row;
  }
}

/** What a client was told of usage, as the row must have it. */
export function toldUsage(
  told: { prompt_tokens: number; completion_tokens?: number } | null | undefined,
): Usage {
  const tokens = { input: told?.prompt_tokens ?? 0, output: told?.completion_tokens ?? 0 };
  return { source: "provider", tokens };
}
