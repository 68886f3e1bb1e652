import { badRequest } from "./api-error.ts";
import {
  isTokenList,
  type JsonObject,
  missing,
  modelName,
  onlyOne,
  optionalBoolean,
  optionalNumber,
  optionalString,
  stopStrings,
  streamFields,
  unsupported,
} from "./request-fields.ts";
import { parseSampling, type RequestedSampling } from "./sampling.ts";

/** A legacy completion request, checked. Each prompt is text or a list of token ids, and gets one choice. */
export interface CompletionRequest {
  readonly model: string;
  readonly prompts: readonly (string | readonly number[])[];
  readonly maxTokens: number;
  readonly echo: boolean;
  readonly stops: readonly string[];
  readonly sampling: RequestedSampling;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** OpenAI's default for this route. */
const defaultMaxTokens = 16;
const mostPrompts = 64;

/** Reads the body of POST /v1/completions. Throws 400 naming what is wrong or cannot be done. */
export function parseCompletionRequest(body: JsonObject): CompletionRequest {
  const model = modelName(body);
  onlyOne(body, "n");
  onlyOne(body, "best_of");
  if ((optionalString(body, "suffix") ?? "") !== "") throw unsupported("suffix", "they only continue a text");
  if (optionalNumber(body, "logprobs", { min: 0, max: 5, integer: true }) !== undefined) {
    throw unsupported("logprobs", "they do not report probabilities");
  }
  const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };
  return {
    model,
    prompts: parseInputs(body, "prompt", mostPrompts),
    maxTokens: optionalNumber(body, "max_tokens", bounds) ?? defaultMaxTokens,
    echo: optionalBoolean(body, "echo") ?? false,
    stops: stopStrings(body),
    sampling: parseSampling(body),
    ...streamFields(body),
  };
}

/**
 * A string, a list of strings, a list of token ids, or a list of such lists, as a list of inputs.
 * Throws 400 naming the element at fault.
 */
export function parseInputs(body: JsonObject, name: string, most: number): (string | readonly number[])[] {
  const value = body[name] ?? undefined;
  if (value === undefined) throw missing(name);
  const list: readonly unknown[] = Array.isArray(value) && !isTokenList(value) ? value : [value];
  if (list.length === 0)
    throw badRequest(`Invalid '${name}': expected at least one element.`, name, "empty_array");
  if (list.length > most) throw badRequest(`Invalid '${name}': at most ${most} elements.`, name);
  return list.map((item, index) => {
    if (typeof item === "string" || isTokenList(item)) return item;
    const at = Array.isArray(value) ? `${name}[${index}]` : name;
    throw badRequest(`Invalid '${at}': expected a string or a list of token ids.`, at, "invalid_type");
  });
}
