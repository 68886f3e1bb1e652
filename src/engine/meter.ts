import type { NanoUsd } from "../core/money.ts";
import { costOf, type Price } from "../core/price.ts";
import { type TokenCounts, tokenCounts, type Usage } from "../core/usage.ts";
import type { AnswerFacts, Charge, InferenceRequest, PriceBook, Target } from "./ports.ts";

/** English text has about four bytes a token with every current tokenizer; said to be an estimate wherever it is used. */
const BYTES_PER_TOKEN = 4;

/**
 * What an answer used. The provider's own counts where it gave them. Where it gave none (it does not count, or the
 * answer was cut short), what was delivered: counted, if every piece is a token, else estimated from the text.
 * `promptTokens`: what the provider said of the prompt before it answered.
 */
export function usageOf(
  request: InferenceRequest,
  target: Target,
  facts: AnswerFacts,
  promptTokens?: number,
): Usage {
  const reported = facts.usage;
  if (reported !== undefined && isWhole(reported.tokens, facts)) return reported;
  const knownInput = reportedInput(reported?.tokens, facts) ?? promptTokens;
  const counted = target.provider.tokenPerPiece && knownInput !== undefined;
  const seen = target.provider.tokenPerPiece ? facts.textPieces : estimateOutput(facts);
  const tokens = tokenCounts({
    input: knownInput ?? Math.ceil(request.promptBytes() / BYTES_PER_TOKEN),
    cacheRead: reported?.tokens.cacheRead,
    cacheWrite: reported?.tokens.cacheWrite,
    output: Math.max(seen, reported?.tokens.output ?? 0),
    reasoning: reported?.tokens.reasoning,
  });
  return { ...reported, tokens, source: counted ? "counted" : "estimated" };
}

/**
 * What a price makes of a usage. Parts that another model produced are charged at that model's price, if it has one. An
 * answer that another model gave than was asked costs what `servedPriceOf` says of that one.
 */
export function priceUsage(
  usage: Usage,
  price: Price | undefined,
  priceOf: (model: string) => Price | undefined,
  servedPriceOf = priceOf,
): NanoUsd {
  const own = usage.servedModel === undefined ? price : (servedPriceOf(usage.servedModel) ?? price);
  let cost = own === undefined ? 0n : costOf(usage.tokens, own);
  for (const part of usage.subCharges ?? []) {
    const partPrice = priceOf(part.model) ?? price;
    // The request's own price is paid once, with the answer.
    if (partPrice !== undefined) cost += costOf(part.tokens, { ...partPrice, perRequestNanoUsd: 0n });
  }
  return cost;
}

/** What the caller pays for an answer and what it costs us, by the prices that stood when the request came. */
export function costsOf(
  book: PriceBook,
  charge: Charge,
  target: Target,
  usage: Usage,
  atMs: number,
): { chargedNanoUsd: NanoUsd; costNanoUsd: NanoUsd } {
  const priceOf = (model: string) => book.chargeFor(model, target.provider.name, model, atMs);
  const chargedOf = (model: string) => priceOf(model).charged;
  // A price of the public name is the operator's word on what this model costs, whoever answers behind it.
  const isPublic = charge.charged !== undefined && charge.charged.provider === undefined;
  const flat = charge.charged === undefined && target.provider.paid && book.unpriced.kind === "flat";
  const chargedNanoUsd =
    flat && book.unpriced.kind === "flat"
      ? book.unpriced.costNanoUsd
      : priceUsage(usage, charge.charged, chargedOf, isPublic ? () => undefined : chargedOf);
  return { chargedNanoUsd, costNanoUsd: priceUsage(usage, charge.cost, (model) => priceOf(model).cost) };
}

/** Nothing in, and nothing from a cache, beside text is not a count. */
function reportedInput(tokens: TokenCounts | undefined, facts: AnswerFacts): number | undefined {
  const isCount = tokens?.input !== 0 || (tokens.cacheRead ?? 0) + (tokens.cacheWrite ?? 0) > 0;
  return isCount || facts.textPieces === 0 ? tokens?.input : undefined;
}

function estimateOutput(facts: AnswerFacts): number {
  return Math.max(facts.textPieces, Math.ceil(facts.textBytes / BYTES_PER_TOKEN));
}

/**
 * Whether the counts can be charged as they are. A stream that was cut short has reported its output only in part; a
 * count that is missing is unknown, not zero (older Ollama leaves the prompt's out when it was cached); and a provider that says "nothing in, nothing out" beside text has not counted (Ollama puts zeros on early chunks).
 */
function isWhole(tokens: TokenCounts, facts: AnswerFacts): boolean {
  if (!facts.complete || tokens.input === undefined || tokens.output === undefined) return false;
  return !(tokens.input === 0 && tokens.output === 0 && facts.textPieces > 0);
}
