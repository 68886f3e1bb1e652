import { isRecord } from "../core/json-object.ts";
import type {
  ListedModel,
  ProtocolName,
  Provider,
  ProviderReply,
  ProviderRequest,
  ProviderTimeouts,
} from "../engine/ports.ts";
import { HttpUpstream, providerError } from "./http-upstream.ts";

const LIST_TIMEOUT_MS = 5_000;

/** A provider as its configuration describes it, secrets revealed. */
export interface ProviderSettings {
  readonly name: string;
  readonly baseUrl: string;
  readonly paid: boolean;
  readonly timeouts: ProviderTimeouts;
  readonly headers: Readonly<Record<string, string>>;
  /** The only models it serves; null: whatever it lists. */
  readonly models: readonly string[] | null;
  readonly nowMs: () => number;
}

/** How the providers that are reached over HTTP differ. */
export interface ProviderKind {
  /** The path of each protocol that it speaks, below the base URL. */
  readonly paths: Partial<Record<ProtocolName, string>>;
  /** Where it lists its models. */
  readonly listPath: string;
  /** Headers that it demands, with the values for callers that send none. */
  readonly defaultHeaders?: Readonly<Record<string, string>>;
  readListing(body: Readonly<Record<string, unknown>>): readonly ListedModel[];
}

/** A provider behind an HTTP address. What distinguishes them is data (`ProviderKind`). */
export class HttpProvider implements Provider {
  readonly name: string;
  readonly paid: boolean;
  readonly tokenPerPiece = false;
  readonly timeouts: ProviderTimeouts;
  readonly upstream: HttpUpstream;
  readonly #kind: ProviderKind;
  readonly #settings: ProviderSettings;

  constructor(kind: ProviderKind, settings: ProviderSettings) {
    this.name = settings.name;
    this.paid = settings.paid;
    this.timeouts = settings.timeouts;
    this.#kind = kind;
    this.#settings = settings;
    const { name, baseUrl, headers, timeouts, nowMs } = settings;
    const { defaultHeaders = {} } = kind;
    this.upstream = new HttpUpstream({ provider: name, baseUrl, headers, defaultHeaders, timeouts, nowMs });
  }

  speaks(protocol: ProtocolName): boolean {
    return this.#kind.paths[protocol] !== undefined;
  }

  lacks(): undefined {
    return undefined;
  }

  nameInBody(model: string): string {
    return model;
  }

  async listModels(): Promise<readonly ListedModel[]> {
    const only = this.#settings.models;
    if (only !== null) return only.map((model) => ({ model }));
    return this.#kind.readListing(await this.upstream.getJson(this.#kind.listPath, LIST_TIMEOUT_MS));
  }

  /** Asks for something that is not an inference, and hands the answer on. */
  async query(method: "GET" | "POST", path: string, body: unknown, timeoutMs: number): Promise<Response> {
    const bytes = body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body));
    const reply = await this.upstream.send(method, path, bytes, {}, AbortSignal.timeout(timeoutMs));
    const type = reply.headers.get("content-type") ?? "application/json";
    const answer = (await reply.bytes()) as Uint8Array<ArrayBuffer>;
    return new Response(answer, { status: reply.status, headers: { "content-type": type } });
  }

  send(request: ProviderRequest): Promise<ProviderReply> {
    const path = this.#kind.paths[request.protocol] ?? "";
    return this.upstream.send("POST", path, request.body, request.headers, request.signal);
  }

  readError(status: number, body: Uint8Array, headers: Headers) {
    return providerError(this.name, status, body, headers, this.#settings.nowMs());
  }
}

/** The objects in a list field of a provider's answer. */
export function recordsIn(body: Readonly<Record<string, unknown>>, field: string): Record<string, unknown>[] {
  const list = body[field];
  return Array.isArray(list) ? list.filter(isRecord) : [];
}
