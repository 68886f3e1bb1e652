import { Database } from "bun:sqlite";
import { fixtures, type WireFixture } from "../../support/fixtures.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { stringAt } from "../../support/json-access.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";

/** The protocols that are relayed, each on its route. */
export const ROUTES = {
  "openai-chat": "/v1/chat/completions",
  "openai-completions": "/v1/completions",
  "openai-embeddings": "/v1/embeddings",
  "anthropic-messages": "/v1/messages",
  "ollama-chat": "/api/chat",
  "ollama-generate": "/api/generate",
  "ollama-embed": "/api/embed",
} as const;

export type RelayedProtocol = keyof typeof ROUTES;

export function isRelayed(protocol: string): protocol is RelayedProtocol {
  return Object.hasOwn(ROUTES, protocol);
}

/** The provider that serves a protocol in `startRelay`, and how it is told the gateway's own credentials. */
export function providerOf(protocol: RelayedProtocol): "up-openai" | "up-anthropic" | "up-ollama" {
  if (protocol === "anthropic-messages") return "up-anthropic";
  return protocol.startsWith("openai-") ? "up-openai" : "up-ollama";
}

/** Every price differs, so that a token in the wrong bucket changes the sum. US dollars per million tokens. */
export const PRICE = {
  perRequest: "0.000123457",
  input: "3",
  output: "15.000001",
  cacheRead: "0.31",
  cacheWrite: "3.75",
  reasoning: "60",
} as const;

const NANO_PER_MILLION = {
  input: 3_000_000_000n,
  output: 15_000_001_000n,
  cacheRead: 310_000_000n,
  cacheWrite: 3_750_000_000n,
  reasoning: 60_000_000_000n,
} as const;

export interface Buckets {
  readonly input?: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  readonly output?: number;
  readonly reasoning?: number;
}

/** What `PRICE` makes of an answer, worked out apart from the gateway: each part rounded up once. */
export function costByPrice(tokens: Buckets, parts: readonly Buckets[] = []): bigint {
  return [tokens, ...parts].reduce((sum, part) => sum + tokensCost(part), 123_457n);
}

function tokensCost({
  input = 0,
  cacheRead = 0,
  cacheWrite = 0,
  output = 0,
  reasoning = 0,
}: Buckets): bigint {
  const nanoTimesMillion =
    BigInt(input) * NANO_PER_MILLION.input +
    BigInt(cacheRead) * NANO_PER_MILLION.cacheRead +
    BigInt(cacheWrite) * NANO_PER_MILLION.cacheWrite +
    BigInt(output - reasoning) * NANO_PER_MILLION.output +
    BigInt(reasoning) * NANO_PER_MILLION.reasoning;
  const whole = nanoTimesMillion / 1_000_000n;
  return whole * 1_000_000n === nanoTimesMillion ? whole : whole + 1n;
}

/** A gateway in front of one scripted upstream that plays three paid providers. */
export interface Relay extends AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  readonly gateway: TestGateway;
}

/** Every model is served by all three; a protocol is spoken to the first of them that speaks it. */
export async function startRelay(models: readonly string[]): Promise<Relay> {
  const upstream = await scriptedUpstream();
  const gateway = await startGateway({ yaml: relayYaml(upstream.url, models) });
  for (const model of models) await gateway.run("prices.set", { model, ...PRICE });
  return {
    upstream,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await upstream.close();
    },
  };
}

function relayYaml(url: string, models: readonly string[]): string {
  const providers = [
    ["up-openai", "openai-compatible", `${url}/v1`],
    ["up-anthropic", "anthropic", url],
    ["up-ollama", "ollama", url],
  ] as const;
  const declared = providers.map(
    ([name, type, baseUrl]) =>
      `  ${name}: { type: ${type}, base_url: "${baseUrl}", api_key: "\${UPSTREAM_KEY}", billing: paid }`,
  );
  const named = models.map((model) => {
    const targets = providers.map(([provider]) => ({ provider, model }));
    return `  - { name: ${JSON.stringify(model)}, targets: ${JSON.stringify(targets)} }`;
  });
  return ["providers:", ...declared, "models:", ...named].join("\n");
}

/** Fixtures of the relayed protocols. */
export function relayedFixtures(wanted: (fixture: WireFixture) => boolean) {
  return fixtures().flatMap((one) =>
    isRelayed(one.protocol) && wanted(one) ? [{ ...one, protocol: one.protocol }] : [],
  );
}

export function modelsOf(bodies: readonly unknown[]): string[] {
  return [...new Set(bodies.flatMap((body) => stringAt(body, "model") ?? []))];
}

/** A request and its attempt as they stand in the database's file. */
export interface WrittenRow {
  readonly status: number;
  readonly error: string | null;
  readonly protocol: string;
  readonly stream: number;
  readonly requested_model: string | null;
  readonly model: string | null;
  readonly provider: string | null;
  readonly input_tokens: number | null;
  readonly cache_read_tokens: number | null;
  readonly cache_write_tokens: number | null;
  readonly output_tokens: number | null;
  readonly reasoning_tokens: number | null;
  readonly usage_source: string | null;
  readonly cost_nano_usd: number;
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly first_byte_ms: number | null;
  readonly provider_request_id: string | null;
  readonly provider_status: number | null;
}

const READ_ROWS = `
  SELECT r.*, a.provider_request_id, a.status AS provider_status
  FROM requests r LEFT JOIN attempts a ON a.request_id = r.id
  WHERE r.id = ?`;

/** The rows of a request, read by a connection of its own: what is not durable is not there. */
export function writtenRows({ config }: TestGateway, requestId: string): WrittenRow[] {
  const db = new Database(config.database.path, { readonly: true });
  try {
    return db.query<WrittenRow, [string]>(READ_ROWS).all(requestId);
  } finally {
    db.close();
  }
}

export function bucketsOf(row: WrittenRow): Buckets {
  const named = {
    input: row.input_tokens,
    cacheRead: row.cache_read_tokens,
    cacheWrite: row.cache_write_tokens,
    output: row.output_tokens,
    reasoning: row.reasoning_tokens,
  };
  return Object.fromEntries(Object.entries(named).filter(([, count]) => count !== null));
}

export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** What stood in the database at the moment when the last byte had come. */
  readonly rows: readonly WrittenRow[];
}

export interface Sending {
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** So many bytes are the whole answer: the database is read when they are there, before the answer has ended. */
  readonly wholeBytes?: number;
  /** Told of each arrival, with the bytes that have come so far. */
  readonly arrived?: (bytes: number) => void;
}

/** Calls the gateway as the first user, and looks into the database as soon as the answer is complete. */
export async function call(gateway: TestGateway, sending: Sending): Promise<Received> {
  const { "x-api-key": _, ...headers } = sending.headers ?? {};
  const response = await fetch(gateway.url + sending.path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers, authorization: `Bearer ${gateway.userKey}` },
    body: new Uint8Array(sending.body),
  });
  const requestId = response.headers.get("x-request-id") ?? "";
  const pieces: Uint8Array[] = [];
  let length = 0;
  let rows: readonly WrittenRow[] | undefined;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    length += piece.length;
    sending.arrived?.(length);
    if (length === sending.wholeBytes) rows ??= writtenRows(gateway, requestId);
  }
  const body = new Uint8Array(Buffer.concat(pieces));
  return {
    status: response.status,
    headers: response.headers,
    body,
    rows: rows ?? writtenRows(gateway, requestId),
  };
}
