/** What is odd about single recordings, so that a suite can expect it instead of failing on it. */
import { fromUtf8 } from "./bytes.ts";
import { isObject, property, stringAt } from "./json-access.ts";
import type { Recording } from "./recordings.ts";
import { parseSse } from "./sse.ts";

const odd: Readonly<Record<string, string>> = {
  "ai-sdk/anthropic/duplicate-message-start.chunks.txt":
    "message_start comes twice with the same id; message_delta has output tokens only",
  "ai-sdk/anthropic/spliced-message-start.chunks.txt":
    "a second answer's message_start comes in the middle of the first; message_delta has output tokens only",
  "ai-sdk/openai/responses/parallel-tool-call-wrapper.1.chunks.txt":
    "the first and the last event are not JSON, a brace is missing: the usage cannot be read",
  "ai-sdk/openai/responses/openai-phase.1.chunks.txt": "trimmed: gaps in sequence_number and output_index",
  "ai-sdk/openai/responses/github-copilot-id-rotation.1.chunks.txt": "item ids differ on every event",
  "ai-sdk/openai/responses/openai-error.1.chunks.txt":
    "an error in the stream, under status 200: a nested error event, then response.failed",
  "ai-sdk/openai/responses/openai-error.1.json":
    "an error body; its status was not recorded and is taken as 429",
  "ai-sdk/openai/responses/programmatic-tool-calling.2.chunks.txt":
    "a completed answer whose usage is all zeros",
  "ai-sdk/openai/responses/programmatic-tool-calling.2.json": "a completed answer whose usage is all zeros",
  "ai-sdk/openai-compatible/chat/anthropic-fallback-tool-call.sse": "tool call indices start at 1; no usage",
  "ai-sdk/mistral/mistral-incremental-tool-call.chunks.txt":
    "no role in the first delta; a later fragment of the call has an empty name",
  "ai-sdk/mistral/mistral-tool-call.chunks.txt": "tool calls without an index",
  "ai-sdk/xai/xai-tool-call.chunks.txt": "completion_tokens leave the reasoning out: only the total tells",
  "ai-sdk/xai/xai-tool-call.json": "completion_tokens leave the reasoning out: only the total tells",
  "ai-sdk/groq/groq-tool-call.chunks.txt":
    "the usage stands twice in the last chunk, at its own place and in x_groq",
  "ai-sdk/mistral/mistral-reasoning.chunks.txt": "delta.content is a list of parts",
  "ai-sdk/mistral/mistral-reasoning.json": "message.content is a list of parts",
  "ai-sdk/open-responses/responses/lmstudio-tool-call.1.chunks.txt":
    "the arguments come whole in function_call_arguments.done, without deltas",
  "ollama/openai-completions-stream-usage.json": "usage of zeros on every chunk, the true one in the last",
  "ollama/openai-responses.json": "cut at max_output_tokens, yet status completed",
  "ollama/openai-responses-stream.json": "cut at max_output_tokens, yet status completed",
};

const formOnly =
  /\/(anthropic-refusal|anthropic-fallback|duplicate-message-start|spliced-message-start|parallel-tool-call-wrapper|openai-shell-container|openai-apply-patch-tool-delete|openai-phase)/;

/** The reason written down for a file, or else what its bytes show. */
export function oddityOf(
  file: string,
  answer: Pick<Recording, "protocol" | "stream" | "body">,
): string | undefined {
  return odd[file] ?? (answer.stream ? oddityOfStream(answer) : undefined);
}

export function madeUp(file: string): boolean {
  return formOnly.test(file);
}

function oddityOfStream({ protocol, body }: Pick<Recording, "protocol" | "body">): string | undefined {
  try {
    return protocol.startsWith("ollama-") ? oddityOfLines(fromUtf8(body)) : oddityOfEvents(body);
  } catch (failure) {
    return `a part of the stream is not readable: ${failure instanceof Error ? failure.message : String(failure)}`;
  }
}

function oddityOfLines(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line !== "");
  const parsed = lines.map((line): unknown => JSON.parse(line));
  return property(parsed.at(-1), "done") === true ? undefined : "the last line does not say done";
}

function oddityOfEvents(body: Uint8Array): string | undefined {
  const events = parseSse(body);
  const last = events.at(-1);
  if (last === undefined) return "no event at all";
  for (const { event, data } of events) {
    if (data === "[DONE]") continue;
    const value: unknown = JSON.parse(data);
    if (!isObject(value)) return "an event is not an object";
    if (event !== undefined && stringAt(value, "type") !== event)
      return `the event ${event} has another type`;
  }
  if (events[0]?.event === "message_start" && !events.some(({ event }) => event === "message_delta"))
    return "no message_delta: the message_start holds content, stop reason and usage";
  const ended =
    last.data === "[DONE]" ||
    /^(message_stop|response\.(completed|failed|incomplete))$/.test(last.event ?? "");
  return ended ? undefined : "no terminal event";
}
