/** A gateway whose providers all lie at one address, with time-outs that a test can wait for. */
import { expect } from "bun:test";
import type { RequestRow } from "../../../src/engine/ports.ts";
import { type GatewayOptions, startGateway, type TestGateway } from "../../support/gateway.ts";
import { patienceMs, within } from "../../support/within.ts";

export interface Timeouts {
  readonly connect?: string;
  readonly first_byte?: string;
  readonly idle?: string;
  readonly total?: string;
}

/** One provider of each kind at `url`. All are free: what a price makes of an answer is not the question here. */
export function yamlOf(url: string, timeouts: Timeouts = {}, extra = ""): string {
  const times = Object.entries(timeouts)
    .map(([name, value]) => `${name}: ${value}`)
    .join(", ");
  const provider = (name: string, type: string, base: string, models: string) => `
  ${name}:
    type: ${type}
    base_url: ${base}
    api_key: \${UPSTREAM_KEY}
    billing: free
    models: [${models}]
    timeouts: {${times}}`;
  return `providers:${provider("up-openai", "openai-compatible", `${url}/v1`, "gpt-test, embed-test")}
${provider("up-anthropic", "anthropic", url, "claude-test")}
${provider("up-ollama", "ollama", url, "llama-test")}
${extra}`;
}

export function gatewayAt(
  url: string,
  timeouts: Timeouts = {},
  extra = "",
  options: GatewayOptions = {},
): Promise<TestGateway> {
  return startGateway({ ...options, yaml: yamlOf(url, timeouts, extra) });
}

/** The row of a request, waiting until it is written. It must be the only one of that id. */
export async function rowOf(gateway: TestGateway, requestId: string | null): Promise<RequestRow> {
  for (;;) {
    const found = gateway.rows.filter((row) => row.id === requestId);
    if (found[0] !== undefined) {
      expect(found).toHaveLength(1);
      return found[0];
    }
    await within(`the row of ${requestId}`, gateway.rowsAt(gateway.rows.length + 1));
  }
}

/** The next row after those that are there. Call it before what causes the row. */
export function nextRow(gateway: TestGateway): Promise<RequestRow> {
  const count = gateway.rows.length;
  return within("the next row", gateway.rowsAt(count + 1)).then((rows) => {
    const row = rows[count];
    if (row === undefined) throw new Error("no row");
    return row;
  });
}

/** Waits until something is so. For what tells nobody when it changes. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`waited ${patienceMs} ms in vain for ${what}`);
    await Bun.sleep(5);
  }
}

export async function untilIdle(gateway: TestGateway): Promise<void> {
  await until("no request to be in progress", () => gateway.app.inProgress.size === 0);
}
