import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type App, type AppEvents, createApp, type Overrides } from "../../src/app.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { GatewayError } from "../../src/core/error.ts";
import type { RequestRow } from "../../src/engine/ports.ts";
import type { FirstKeys } from "../../src/first-start.ts";

/** A gateway in this process, on a port of its own, with a database of its own. */
export interface TestGateway extends AsyncDisposable {
  readonly url: string;
  readonly app: App;
  readonly config: Config;
  readonly userKey: string;
  readonly adminKey: string;
  /** Every row that was finished, in order. */
  readonly rows: RequestRow[];
  readonly errors: { requestId: string; error: GatewayError; cause: unknown }[];
  /** Waits for the next `count` rows in all. */
  rowsAt(count: number): Promise<RequestRow[]>;
  /** An administrative operation; throws on a refusal. */
  run(name: string, input: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export interface GatewayOptions {
  /** The text of parallama.yaml. */
  readonly yaml?: string;
  readonly env?: Record<string, string>;
  readonly overrides?: Overrides;
  /** Keep this folder (a restart on the same data). */
  readonly dataDir?: string;
}

/**
 * Starts a gateway in development mode. Without `yaml`, only the providers that `env` names exist; Ollama points at a
 * closed port so that one on this machine does not join in.
 */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "parallama-test-"));
  const config = testConfig(dataDir, options);
  const rows: RequestRow[] = [];
  const errors: TestGateway["errors"] = [];
  let wake = () => {};
  const events: AppEvents = {
    finished(row) {
      rows.push(row);
      wake();
    },
    failed: (requestId, error, cause) => errors.push({ requestId, error, cause }),
    answered() {},
    unexpected: (where, cause) => console.error("unexpected", where, cause),
    journalFailing() {},
    journalRecovered() {},
    localProcess() {},
  };
  const app = await createApp(config, events, options.overrides);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, server) => app.router.fetch(request, server),
  });
  const keys = app.firstKeys as FirstKeys | undefined;
  const close = async () => {
    await server.stop(true);
    await app.close();
    if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
  };
  return {
    url: `http://127.0.0.1:${server.port}`,
    app,
    config,
    rows,
    errors,
    userKey: keys?.userKey ?? "",
    adminKey: keys?.adminKey ?? "",
    async rowsAt(count) {
      while (rows.length < count) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      return rows;
    },
    async run(name, input) {
      const result = await app.run(name, input);
      if (!result.ok) throw new Error(`${name}: ${result.error.message}`);
      return result.value;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A YAML text that names one provider of each kind at the same scripted upstream, free unless said otherwise. */
export function providersYaml(upstreamUrl: string, extra = ""): string {
  return `
providers:
  up-openai:
    type: openai-compatible
    base_url: ${upstreamUrl}/v1
    billing: free
    models: [gpt-test, embed-test]
  up-anthropic:
    type: anthropic
    base_url: ${upstreamUrl}
    api_key: \${UPSTREAM_KEY}
    billing: free
    models: [claude-test]
  up-ollama:
    type: ollama
    base_url: ${upstreamUrl}
    models: [llama-test]
${extra}`;
}

function testConfig(dataDir: string, options: GatewayOptions): Config {
  const yamlPath = join(dataDir, "parallama.yaml");
  const loaded = loadConfig({
    mode: "dev",
    flags: { dataDir, port: 0, ...(options.yaml === undefined ? {} : { config: yamlPath }) },
    env: { OLLAMA_BASE_URL: "http://127.0.0.1:9", UPSTREAM_KEY: "upstream-key", ...options.env },
    cwd: dataDir,
    readFile: (path) => (path === yamlPath ? options.yaml : undefined),
  });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors));
  return loaded.config;
}
