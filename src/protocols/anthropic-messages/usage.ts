import { isRecord } from "../../core/json-object.ts";
import {
  reportedCount,
  type SubCharge,
  type TokenCounts,
  tokenCounts,
  type Usage,
} from "../../core/usage.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * Folds the usage objects of one Anthropic answer. `message_start` is provisional, `message_delta` cumulative: a later
 * value that is not null wins, field by field. Input, cache reads and cache writes lie beside each other.
 * Source: https://docs.anthropic.com/en/api/messages (usage), .../build-with-claude/streaming
 */
export function anthropicUsage(earlier: Json | undefined, later: Json | undefined): Usage | undefined {
  const merged = mergeUsage(earlier, later);
  if (merged === undefined) return undefined;
  const tokens = countsOf(merged);
  if (tokens.input === undefined && tokens.output === undefined) return undefined;
  return { source: "provider", tokens, ...iterationsOf(merged["iterations"]) };
}

export function mergeUsage(earlier: Json | undefined, later: Json | undefined): Json | undefined {
  if (earlier === undefined) return later;
  if (later === undefined) return earlier;
  const merged: Record<string, unknown> = { ...earlier };
  for (const [key, value] of Object.entries(later))
    if (value !== null && value !== undefined) merged[key] = value;
  return merged;
}

function countsOf(usage: Json): TokenCounts {
  const details = isRecord(usage["output_tokens_details"]) ? usage["output_tokens_details"] : {};
  const output = reportedCount(usage["output_tokens"]);
  const thinking = reportedCount(details["thinking_tokens"]);
  return tokenCounts({
    input: reportedCount(usage["input_tokens"]),
    cacheRead: reportedCount(usage["cache_read_input_tokens"]),
    cacheWrite: reportedCount(usage["cache_creation_input_tokens"]),
    output,
    reasoning: thinking === undefined ? undefined : Math.min(thinking, output ?? thinking),
  });
}

/**
 * The top level sums the `message` iterations. What a compaction or an advisor model used is only in their own entries,
 * and is added; after a fallback the top level is the fallback's alone, at the fallback's model.
 */
function iterationsOf(iterations: unknown): Pick<Usage, "subCharges" | "servedModel"> {
  if (!Array.isArray(iterations)) return {};
  const subCharges: SubCharge[] = [];
  let servedModel: string | undefined;
  for (const entry of iterations) {
    if (!isRecord(entry)) continue;
    const model = typeof entry["model"] === "string" ? entry["model"] : "";
    if (entry["type"] === "compaction" || entry["type"] === "advisor_message") {
      subCharges.push({ model, tokens: countsOf(entry) });
    } else if (entry["type"] === "fallback_message" && model !== "") {
      servedModel = model;
    }
  }
  return {
    ...(subCharges.length > 0 ? { subCharges } : {}),
    ...(servedModel === undefined ? {} : { servedModel }),
  };
}
