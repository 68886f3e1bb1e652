/**
 * The project's own examples of the wire: fixtures/wire/<protocol>/<case>.json, one request and its answer each,
 * with what a reader must learn from it. Every one names the documentation page that it follows.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { concat, utf8 } from "./bytes.ts";
import { isObject, property, stringAt } from "./json-access.ts";

export type FixtureProtocol =
  | "openai-chat"
  | "openai-completions"
  | "openai-embeddings"
  | "anthropic-messages"
  | "anthropic-count-tokens"
  | "ollama-chat"
  | "ollama-generate"
  | "ollama-embed"
  | "ollama-management";

/** Disjoint buckets; null is unknown, never zero. Reasoning alone lies inside another: it is a part of the output. */
export interface UsageBuckets {
  readonly inputTokens: number | null;
  readonly cacheReadTokens: number | null;
  readonly cacheWriteTokens: number | null;
  readonly outputTokens: number | null;
  readonly reasoningTokens: number | null;
}

export type FixtureFinish =
  | "stop"
  | "stop_sequence"
  | "length"
  | "context_window"
  | "tool_calls"
  | "refusal"
  | "content_filter"
  | "pause"
  | "load"
  | "error";

export interface FixtureExpectation {
  /** Null where the answer does not say at all what it used. */
  readonly usage: UsageBuckets | null;
  /** What the wire says, one to one; null where there is nothing to finish (errors, embeddings, lists). */
  readonly finish: FixtureFinish | null;
  /** The model that the answer names. */
  readonly model: string | null;
  /** The visible text of the first choice. */
  readonly text?: string;
  readonly thinking?: string;
  readonly signature?: string;
  readonly refusal?: string;
  readonly stopSequence?: string;
  /** `arguments` as received; of providers that send an object, its JSON. */
  readonly toolCalls?: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly vectors?: readonly (readonly number[])[];
  /** Parts of the answer that are charged besides `usage`; a null model is that of the answer. */
  readonly subCharges?: readonly {
    readonly type: string;
    readonly model: string | null;
    readonly usage: UsageBuckets;
  }[];
  readonly cacheWrites?: { readonly fiveMinutes: number; readonly oneHour: number };
  readonly error?: {
    readonly status: number;
    readonly type: string | null;
    readonly code: string | null;
    readonly message: string;
  };
}

export interface WireFixture {
  /** `<protocol folder>/<case>`. */
  readonly id: string;
  /** The page of the documentation. */
  readonly source: string;
  readonly note?: string;
  readonly protocol: FixtureProtocol;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Undefined for a request without a body. */
    readonly body: unknown;
    /** The body as it goes over the wire. */
    readonly bytes: Uint8Array;
  };
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: boolean;
  /** The answer in pieces as on the wire; a whole answer is one piece. */
  readonly chunks: readonly Uint8Array[];
  /** `chunks` joined. */
  readonly body: Uint8Array;
  readonly expect: FixtureExpectation;
}

const folder = join(import.meta.dir, "..", "..", "fixtures", "wire");

let loaded: readonly WireFixture[] | undefined;

/** All fixtures, those of one protocol, or those whose id starts with a prefix such as `"openai-chat/error-"`. */
export function fixtures(
  wanted: { readonly protocol?: FixtureProtocol; readonly prefix?: string; readonly stream?: boolean } = {},
): readonly WireFixture[] {
  loaded ??= fixtureFiles().map(readFixture);
  return loaded.filter(
    ({ id, protocol, stream }) =>
      (wanted.protocol === undefined || protocol === wanted.protocol) &&
      (wanted.prefix === undefined || id.startsWith(wanted.prefix)) &&
      (wanted.stream === undefined || stream === wanted.stream),
  );
}

/** One fixture by its id, such as `"anthropic-messages/thinking-stream"`. */
export function fixture(id: string): WireFixture {
  const found = fixtures().find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no fixture ${id} in fixtures/wire`);
  return found;
}

/** The buckets under the names of core/usage.ts, the unknown ones left out. */
export function knownTokens(usage: UsageBuckets): Record<string, number> {
  const named = {
    input: usage.inputTokens,
    cacheRead: usage.cacheReadTokens,
    cacheWrite: usage.cacheWriteTokens,
    output: usage.outputTokens,
    reasoning: usage.reasoningTokens,
  };
  return Object.fromEntries(
    Object.entries(named).flatMap(([name, count]) => (count === null ? [] : [[name, count]])),
  );
}

/** Every file below fixtures/wire, relative to it. */
export function fixtureFiles(): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .sort();
}

/** The file as parsed JSON, for the test of its form. */
export function fixtureJson(file: string): unknown {
  return JSON.parse(readFileSync(join(folder, file), "utf8"));
}

function readFixture(file: string): WireFixture {
  const json = fixtureJson(file);
  const request = property(json, "request");
  const response = property(json, "response");
  const note = stringAt(json, "note");
  const sent = property(request, "body");
  const pieces = property(response, "chunks");
  const whole = property(response, "body");
  const chunks = isStringList(pieces)
    ? pieces.map(utf8)
    : [utf8(typeof whole === "string" ? whole : JSON.stringify(whole))];
  return {
    id: file.replace(/\.json$/, ""),
    source: textAt(json, "source", file),
    ...(note === undefined ? {} : { note }),
    protocol: asProtocol(textAt(json, "protocol", file), file),
    request: {
      method: textAt(request, "method", file),
      path: textAt(request, "path", file),
      headers: textMap(property(request, "headers")),
      body: sent,
      bytes: sent === undefined ? new Uint8Array(0) : utf8(JSON.stringify(sent)),
    },
    status: Number(property(response, "status")),
    headers: textMap(property(response, "headers")),
    stream: isStringList(pieces),
    chunks,
    body: concat(chunks),
    expect: expectationOf(property(json, "expect"), file),
  };
}

const protocols: readonly FixtureProtocol[] = [
  "openai-chat",
  "openai-completions",
  "openai-embeddings",
  "anthropic-messages",
  "anthropic-count-tokens",
  "ollama-chat",
  "ollama-generate",
  "ollama-embed",
  "ollama-management",
];

function asProtocol(name: string, file: string): FixtureProtocol {
  const known = protocols.find((protocol) => protocol === name);
  if (known === undefined) throw new Error(`${file}: the protocol ${name} is not known`);
  return known;
}

function expectationOf(value: unknown, file: string): FixtureExpectation {
  if (!isExpectation(value)) throw new Error(`${file}: expect must have usage, finish and model`);
  return value;
}

/** The test of the fixtures looks closer than this. */
function isExpectation(value: unknown): value is FixtureExpectation {
  return isObject(value) && ["usage", "finish", "model"].every((name) => Object.hasOwn(value, name));
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((piece) => typeof piece === "string");
}

function textAt(value: unknown, name: string, file: string): string {
  const text = stringAt(value, name);
  if (text === undefined) throw new Error(`${file}: ${name} is missing`);
  return text;
}

function textMap(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
