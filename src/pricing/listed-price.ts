import type { GatewayError } from "../core/error.ts";
import { NANO_PER_USD, type NanoUsd, parseUsd } from "../core/money.ts";

/** The amounts of a price. Token prices are per million tokens. */
export interface Rates {
  readonly perRequest: NanoUsd;
  readonly input: NanoUsd;
  readonly output: NanoUsd;
  readonly cacheRead?: NanoUsd;
  readonly cacheWrite?: NanoUsd;
  readonly reasoning?: NanoUsd;
}

/** What a list says that a provider asks for a model. */
export interface ListedPrice {
  readonly provider: string;
  /** The provider's own name; with `-*` at its end: the snapshots of that model. */
  readonly model: string;
  /** Absent: always. */
  readonly effectiveFromMs?: number;
  readonly rates: Rates;
}

/** An entry that was not taken, and why. `provider` is absent where the entry does not say. */
export interface SkippedPrice {
  readonly provider?: string;
  readonly model: string;
  readonly reason: string;
}

/** A list of prices as read: all that could be taken, and all that could not. */
export interface PriceList {
  /** Name and date of the list; becomes the `source` of the rows. */
  readonly source: string;
  readonly prices: readonly ListedPrice[];
  readonly skipped: readonly SkippedPrice[];
}

/** The same bound as for a price that is set by hand; far below what an integer column holds. */
const AMOUNT_LIMIT = 1_000_000_000n * NANO_PER_USD;
const PROVIDER = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
const MODEL = /^[^\s\u0000-\u001f\u007f]{1,256}$/;

/** Whether an amount can be stored. */
export function isAmount(amount: NanoUsd | undefined): amount is NanoUsd {
  return amount !== undefined && amount >= 0n && amount < AMOUNT_LIMIT;
}

/** An amount from its text, or `undefined` for what is no amount in dollars, or is too large to be one. */
export function amountOf(text: string): NanoUsd | undefined {
  const amount = text.length > 40 ? undefined : parseUsd(text);
  return isAmount(amount) ? amount : undefined;
}

/** Why a price cannot be stored under these names, if so. */
export function nameProblem(provider: string, model: string): string | undefined {
  if (!PROVIDER.test(provider)) return "its provider's name is not one (letters, digits, - and _)";
  if (!MODEL.test(model))
    return "its name is empty, longer than 256 characters, or has spaces or control characters";
  return undefined;
}

/** A name from a list as a report may show it: without control characters, and not endless. */
export function shownName(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?").slice(0, 128);
}

/** Amounts from what may be missing; what is `undefined` is left out. */
export function ratesOf(parts: { readonly [Part in keyof Rates]?: Rates[Part] | undefined }): Rates {
  const { cacheRead, cacheWrite, reasoning } = parts;
  return {
    perRequest: parts.perRequest ?? 0n,
    input: parts.input ?? 0n,
    output: parts.output ?? 0n,
    ...(cacheRead === undefined ? {} : { cacheRead }),
    ...(cacheWrite === undefined ? {} : { cacheWrite }),
    ...(reasoning === undefined ? {} : { reasoning }),
  };
}

export function sameRates(a: Rates, b: Rates): boolean {
  return (
    a.perRequest === b.perRequest &&
    a.input === b.input &&
    a.output === b.output &&
    a.cacheRead === b.cacheRead &&
    a.cacheWrite === b.cacheWrite &&
    a.reasoning === b.reasoning
  );
}

/** What is wrong with a list as JSON. The reader of JSON speaks of a request's body. */
export function jsonProblem(error: GatewayError): string {
  return error.message.replace(/^The body/, "it").replace(/^The /, "the ");
}
