/** What a recorded answer says it used, read apart from the gateway: the sum of all buckets, and what is billed besides. */
import { fromUtf8 } from "../../support/bytes.ts";
import { isObject, property } from "../../support/json-access.ts";
import type { Recording } from "../../support/recordings.ts";
import type { Buckets, RelayedProtocol } from "./relay-setup.ts";

export interface RecordedTokens {
  /** Undefined where the answer does not say, or says nothing but zeros beside text. */
  readonly sum: number | undefined;
  readonly parts: readonly Buckets[];
}

export function recordedTokens(protocol: RelayedProtocol, recording: Recording): RecordedTokens {
  const events = jsonIn(recording);
  if (protocol.startsWith("ollama-"))
    return { sum: sumOf(events.at(-1), ["prompt_eval_count", "eval_count"]), parts: [] };
  if (protocol === "anthropic-messages") return anthropicTokens(events);
  const usage = events.map((event) => property(event, "usage")).findLast(isObject);
  const total = property(usage, "total_tokens");
  return { sum: typeof total === "number" && total > 0 ? total : undefined, parts: [] };
}

const ANTHROPIC_FIELDS = [
  "input_tokens",
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
  "output_tokens",
] as const;

function anthropicTokens(events: readonly unknown[]): RecordedTokens {
  const usage: Record<string, unknown> = {};
  for (const event of events) {
    const said = property(property(event, "message"), "usage") ?? property(event, "usage");
    for (const [name, value] of Object.entries(said ?? {})) if (value !== null) usage[name] = value;
  }
  const iterations = Array.isArray(usage.iterations) ? usage.iterations : [];
  const parts = iterations.flatMap((entry: unknown): Buckets[] => {
    const type = property(entry, "type");
    if (type !== "compaction" && type !== "advisor_message") return [];
    const count = (name: string) => Number(property(entry, name) ?? 0);
    return [
      {
        input: count("input_tokens"),
        cacheRead: count("cache_read_input_tokens"),
        cacheWrite: count("cache_creation_input_tokens"),
        output: count("output_tokens"),
      },
    ];
  });
  return { sum: sumOf(usage, ANTHROPIC_FIELDS), parts };
}

function sumOf(object: unknown, names: readonly string[]): number | undefined {
  const known = names.map((name) => property(object, name)).filter((value) => typeof value === "number");
  const reason = property(object, "done_reason");
  if (known.length === 0) return reason === "load" || reason === "unload" ? 0 : undefined;
  return known.reduce((sum, value) => sum + value, 0);
}

function jsonIn({ body, stream }: Recording): unknown[] {
  if (!stream) return [JSON.parse(fromUtf8(body))];
  return fromUtf8(body)
    .split("\n")
    .map((line) => (line.startsWith("data: ") ? line.slice(6) : line))
    .flatMap((text) => {
      try {
        return [JSON.parse(text)];
      } catch {
        return [];
      }
    });
}
