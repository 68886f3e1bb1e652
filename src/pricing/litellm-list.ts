import { gatewayError } from "../core/error.ts";
import { type JsonObject, readJsonObject } from "../core/json-object.ts";
import type { NanoUsd } from "../core/money.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import {
  isAmount,
  jsonProblem,
  type ListedPrice,
  nameProblem,
  type PriceList,
  type Rates,
  ratesOf,
  type SkippedPrice,
  shownName,
} from "./listed-price.ts";
import { scaledDecimal } from "./scaled-decimal.ts";

const MAX_DEPTH = 32;

/** LiteLLM's names of providers where ours differ. */
const PROVIDERS = new Map([
  ["fireworks_ai", "fireworks"],
  ["fireworks_ai-embedding-models", "fireworks"],
  ["gemini", "google"],
  ["text-completion-openai", "openai"],
  ["together_ai", "together"],
  ["voyage", "voyageai"],
  ["xai", "x-ai"],
]);

const MODES = new Set<unknown>(["chat", "completion", "responses", "embedding"]);

const LONG = "(?:_above_\\d+k_tokens)?";

/** Which field is which of our amounts. Where several are, the highest counts: a price has no dimension for context length. */
const FIELDS: readonly (readonly [keyof Rates, RegExp])[] = [
  ["perRequest", /^input_cost_per_request$/],
  ["input", new RegExp(`^input_cost_per_token${LONG}$`)],
  ["output", new RegExp(`^output_cost_per_token${LONG}$`)],
  ["cacheRead", new RegExp(`^(?:cache_read_input_token_cost${LONG}|input_cost_per_token_cache_hit)$`)],
  ["cacheWrite", new RegExp(`^cache_creation_input_token_cost(?:_above_1hr)?${LONG}$`)],
  ["reasoning", new RegExp(`^output_cost_per_reasoning_token${LONG}$`)],
];

/** Fields of other units, or of tokens that are not text. `_batches`, `_flex`, `_priority` are other services. */
const OTHER_UNIT =
  /^(?:(?:input|output)_cost_per_|cache_.*(?:audio|image|video))(?!.*_(?:batches|flex|priority)$)/;
/** The only token prices of another kind that may stand beside ours: those of input that costs no more than text. */
const OTHER_INPUT =
  /^(?:input_cost_per|cache_read_input|cache_creation_input)_(?:audio|image|video)_token(?:_cost)?$/;

/** Nano-USD per million tokens in a US dollar per token. */
const PER_TOKEN = 15;
const PER_REQUEST = 9;

/** Reads LiteLLM's `model_prices_and_context_window.json`. Its numbers are read from their text, so they stay exact. */
export function readLiteLlmList(text: string, date: string): Result<PriceList> {
  const json = readJsonObject(new TextEncoder().encode(text), MAX_DEPTH);
  if (!json.ok)
    return refuse(gatewayError("bad_request", `The list cannot be read: ${jsonProblem(json.error)}`));
  const prices: ListedPrice[] = [];
  const skipped: SkippedPrice[] = [];
  for (const [key, span] of json.value.spans) {
    if (key === "sample_spec") continue;
    const read = readModel(key, json.value.bytes.subarray(...span));
    if ("reason" in read) skipped.push(read);
    else prices.push(read);
  }
  return ok({ source: `litellm ${date}`, prices, skipped });
}

function readModel(key: string, bytes: Uint8Array): ListedPrice | SkippedPrice {
  const json = readJsonObject(bytes, MAX_DEPTH);
  if (!json.ok) return { model: shownName(key), reason: `it cannot be read: ${jsonProblem(json.error)}` };
  const theirs = json.value.value["litellm_provider"];
  if (typeof theirs !== "string") return { model: shownName(key), reason: "it names no provider" };
  const provider = PROVIDERS.get(theirs) ?? theirs;
  const model = key.startsWith(`${theirs}/`) ? key.slice(theirs.length + 1) : key;
  const skip = (reason: string): SkippedPrice => ({
    provider: shownName(provider),
    model: shownName(model),
    reason,
  });
  const problem = nameProblem(provider, model);
  if (problem !== undefined) return skip(problem);
  const rates = readRates(json.value);
  return typeof rates === "string" ? skip(rates) : { provider, model, rates };
}

/** The amounts of a model, or why it cannot be priced by them. */
function readRates(model: JsonObject): Rates | string {
  const { mode } = model.value;
  if (mode !== undefined && !MODES.has(mode)) return "it is neither a language model nor an embedding model";
  const found = new Map<keyof Rates, NanoUsd>();
  const others: [field: string, text: string][] = [];
  for (const [field, span] of model.spans) {
    const text = numberText(model, field, span);
    if (text === undefined) continue;
    const name = FIELDS.find(([, pattern]) => pattern.test(field))?.[0];
    if (name === undefined) {
      if (OTHER_UNIT.test(field)) others.push([field, text]);
      continue;
    }
    const amount = scaledDecimal(text, name === "perRequest" ? PER_REQUEST : PER_TOKEN);
    if (!isAmount(amount))
      return `${field} is not an amount, or finer than a billionth of a dollar per million tokens`;
    const sofar = found.get(name);
    if (sofar === undefined || amount > sofar) found.set(name, amount);
  }
  if (model.spans.has("tiered_pricing")) return "its price is given in tiers";
  const rates = ratesOf(Object.fromEntries(found));
  const other = others.find(([field, text]) => !costsNoMore(field, text, rates));
  if (other !== undefined) return `it is also priced by ${shownName(other[0])}, which a price cannot express`;
  if (!found.has("input")) return "it has no price per token";
  if (!found.has("output") && mode !== "embedding") return "it has no price for its output";
  if (rates.input === 0n && rates.output === 0n && rates.perRequest === 0n) {
    return "its price is zero, which in this list may mean unknown; set it by hand if it is free";
  }
  return rates;
}

/** The text of a field's number, also where the list has it in quotes; `undefined` for what is not an amount at all. */
function numberText(model: JsonObject, field: string, span: readonly [number, number]): string | undefined {
  const value = model.value[field];
  if (typeof value === "string") return value.trim();
  return typeof value === "number" ? new TextDecoder().decode(model.bytes.subarray(...span)) : undefined;
}

/** Whether a price of another unit changes nothing: it is zero, or of input that is no dearer than text. */
function costsNoMore(field: string, text: string, rates: Rates): boolean {
  const amount = scaledDecimal(text, PER_TOKEN);
  if (amount === undefined) return false;
  if (amount === 0n) return true;
  if (!OTHER_INPUT.test(field)) return false;
  const ours = field.startsWith("cache_read")
    ? rates.cacheRead
    : field.startsWith("cache_creation")
      ? rates.cacheWrite
      : rates.input;
  return amount <= (ours ?? rates.input);
}
