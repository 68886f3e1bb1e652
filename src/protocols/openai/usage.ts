import { isRecord } from "../../core/json-object.ts";
import { reportedCount, tokenCounts, type Usage } from "../../core/usage.ts";

/**
 * The `usage` object of OpenAI's Chat Completions, legacy Completions and Embeddings, and of the servers that follow it.
 * Cached and written tokens lie inside `prompt_tokens`; reasoning lies inside `completion_tokens`, except at xAI, which
 * the total tells (291 + 26 is not 506).
 * Source: https://platform.openai.com/docs/api-reference/chat/object
 */
export function openAiUsage(usage: unknown): Usage | undefined {
  if (!isRecord(usage)) return undefined;
  const prompt = reportedCount(usage["prompt_tokens"]);
  const completion = reportedCount(usage["completion_tokens"]);
  const total = reportedCount(usage["total_tokens"]);
  const promptDetails = isRecord(usage["prompt_tokens_details"]) ? usage["prompt_tokens_details"] : {};
  const completionDetails = isRecord(usage["completion_tokens_details"])
    ? usage["completion_tokens_details"]
    : {};
  const cacheRead =
    reportedCount(promptDetails["cached_tokens"]) ?? reportedCount(usage["prompt_cache_hit_tokens"]);
  const cacheWrite = reportedCount(promptDetails["cache_write_tokens"]);
  const reasoning = reportedCount(completionDetails["reasoning_tokens"]);
  if (prompt === undefined && completion === undefined) return undefined;
  return {
    source: "provider",
    tokens: tokenCounts({
      input: prompt === undefined ? undefined : Math.max(0, prompt - (cacheRead ?? 0) - (cacheWrite ?? 0)),
      cacheRead,
      cacheWrite,
      output: wholeOutput(prompt, completion, reasoning, total),
      reasoning,
    }),
  };
}

/**
 * All output. Where the total exceeds prompt and completion, the remainder was generated too; and more reasoning than
 * completion cannot lie inside it.
 */
function wholeOutput(
  prompt: number | undefined,
  completion: number | undefined,
  reasoning: number | undefined,
  total: number | undefined,
): number | undefined {
  if (completion === undefined) return reasoning;
  const stated =
    total === undefined || prompt === undefined ? completion : Math.max(completion, total - prompt);
  return reasoning !== undefined && reasoning > stated ? completion + reasoning : stated;
}
