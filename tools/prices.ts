// Makes assets/prices.json, the built-in list of prices, from the npm package @pydantic/genai-prices (MIT):
//
//   bun tools/prices.ts
//
// To bring the list up to date: bun add -d --exact @pydantic/genai-prices@<version>, run this, and read the difference.
import { readFileSync } from "node:fs";
import {
  type ConditionalPrice,
  findProvider,
  type MatchLogic,
  type ModelInfo,
  type ModelPrice,
  type Provider,
} from "@pydantic/genai-prices";
import { type NanoUsd, usdText } from "../src/core/money.ts";
import { isAmount, type Rates, ratesOf, sameRates } from "../src/pricing/listed-price.ts";
import type { ParallamaEntry, ParallamaList } from "../src/pricing/parallama-list.ts";
import { scaledDecimal } from "../src/pricing/scaled-decimal.ts";
import { SNAPSHOTS, snapshotBase } from "../src/pricing/snapshots.ts";

const PACKAGE = "@pydantic/genai-prices";

/** Where the list is written, from the root of the project. */
export const PRICES_FILE = "assets/prices.json";

/**
 * The providers that are taken: they offer their models by names of their own. Not taken are clouds where the names are
 * the customer's (azure, aws), and those that resell by subscription (github-copilot, cursor).
 */
const PROVIDERS = [
  ...[
    "anthropic",
    "arcee",
    "avian",
    "baseten",
    "cerebras",
    "cohere",
    "deepseek",
    "fireworks",
    "google",
    "groq",
  ],
  ...[
    "minimax",
    "mistral",
    "moonshotai",
    "novita",
    "openai",
    "openrouter",
    "ovhcloud",
    "perplexity",
    "together",
  ],
  ...["voyageai", "x-ai", "zai", "zhipuai"],
];

/** Which of their prices is which of our amounts, with what to note if another one of the same amount is higher. */
const UNITS: ReadonlyMap<string, readonly [amount: keyof Rates, note?: string]> = new Map([
  ["requests_kcount", ["perRequest"]],
  ["input_mtok", ["input"]],
  ["output_mtok", ["output"]],
  ["cache_read_mtok", ["cacheRead"]],
  ["cache_write_mtok", ["cacheWrite"]],
  ["cache_write_1h_mtok", ["cacheWrite", "a cache kept for an hour"]],
  ["output_reasoning_mtok", ["reasoning"]],
]);

/** Priced by themselves, and only where a request asks for the tool; the tokens around them are priced as ever. */
const TOOL_UNITS = new Set(["web_searches_kcount", "storage_searches_kcount"]);

/** Prices of input that is not text. They can be left aside where they are no higher than those of text. */
const OTHER_INPUT = /^(input|cache)_(?:audio|image|video)(?:_read)?_mtok$/;

const NANO_DECIMALS = 9;

/** A model of the package that was not taken. */
export interface LeftOut {
  readonly provider: string;
  readonly model: string;
  readonly reason: string;
}

/** What the package gives: our list, and what is not in it. */
export interface Generated {
  readonly list: ParallamaList;
  readonly leftOut: readonly LeftOut[];
}

/** Makes the list from the installed package. */
export function generatePrices(date: string): Generated {
  const leftOut: LeftOut[] = [];
  const models = PROVIDERS.flatMap((providerId) => {
    const provider = findProvider({ providerId });
    if (provider?.id !== providerId) throw new Error(`${PACKAGE} has no provider '${providerId}'`);
    return entriesOf(provider, leftOut);
  });
  const sourceVersion: string = JSON.parse(packageFile("package.json")).version;
  const licence = packageFile("LICENSE").trim();
  return { list: { source: "genai-prices", sourceVersion, licence, generatedAt: date, models }, leftOut };
}

/** The list as a file: an entry a line, so that a new version can be read as a difference. */
export function pricesFile(list: ParallamaList): string {
  const { models, ...head } = list;
  const lines = models.map((entry) => `    ${JSON.stringify(entry)}`).join(",\n");
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "models": [\n${lines}\n  ]\n}\n`;
}

function packageFile(name: string): string {
  return readFileSync(new URL(`../node_modules/${PACKAGE}/${name}`, import.meta.url), "utf8");
}

function entriesOf(provider: Provider, leftOut: LeftOut[]): ParallamaEntry[] {
  const taken = new Map<ModelInfo, readonly Period[]>();
  for (const model of provider.models) {
    const periods = periodsOf(model);
    if (typeof periods !== "string") taken.set(model, periods);
    else leftOut.push({ provider: provider.id, model: model.id, reason: periods });
  }
  return [...taken].flatMap(([model, periods]) => {
    const [name, ...aliases] = namesOf(provider, model, taken);
    if (name !== undefined)
      return periods.map((period) => entryOf(provider.id, name, aliases, model, period));
    leftOut.push({ provider: provider.id, model: model.id, reason: "no exact name" });
    return [];
  });
}

function entryOf(
  provider: string,
  model: string,
  aliases: readonly string[],
  info: ModelInfo,
  period: Period,
): ParallamaEntry {
  const { perRequest, input, output, cacheRead, cacheWrite, reasoning } = period.rates;
  const notes = [...period.notes].sort();
  return {
    provider,
    model,
    ...(aliases.length === 0 ? {} : { aliases: [...aliases] }),
    ...(perRequest === 0n ? {} : { perRequest: usdText(perRequest) }),
    input: usdText(input),
    output: usdText(output),
    ...(cacheRead === undefined ? {} : { cacheRead: usdText(cacheRead) }),
    ...(cacheWrite === undefined ? {} : { cacheWrite: usdText(cacheWrite) }),
    ...(reasoning === undefined ? {} : { reasoning: usdText(reasoning) }),
    ...(period.from === undefined ? {} : { effectiveFrom: period.from }),
    ...(info.context_window === undefined ? {} : { contextWindow: info.context_window }),
    ...(notes.length === 0 ? {} : { note: `The highest of several prices, that of ${notes.join("; ")}.` }),
  };
}

// Prices

/** The price of a model from a day on, and what it is the highest of. */
interface Period {
  readonly from?: string;
  readonly rates: Rates;
  readonly notes: ReadonlySet<string>;
}

/** The prices of a model in the order of their days, or why it has none that we can express. */
function periodsOf(model: ModelInfo): readonly Period[] | string {
  if (OTHER_THAN_TEXT.test(model.id)) return "its speech or images are priced apart";
  const all: ConditionalPrice[] = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const peaks: Rates[] = [];
  const dated: Period[] = [];
  for (const { constraint, prices } of all) {
    const read = readRates(prices);
    if (typeof read === "string") return read;
    if (constraint?.type === "time_of_date") peaks.push(read.rates);
    else dated.push(constraint === undefined ? read : { ...read, from: constraint.start_date });
  }
  const periods: Period[] = [];
  for (const period of dated) {
    const rates = peaks.reduce(highest, period.rates);
    const notes = new Set(peaks.length === 0 ? period.notes : [...period.notes, "the dearest hours"]);
    const last = periods.at(-1);
    if (last?.from !== undefined && (period.from ?? "") <= last.from) return "its dates are not in order";
    if (last === undefined || !sameRates(last.rates, rates)) periods.push({ ...period, rates, notes });
  }
  return periods;
}

/** Speech and images are dearer than text. Where the package prices such a model as text, it knows only a part. */
const OTHER_THAN_TEXT = /(?:^|[^a-z])(?:audio|image|live|realtime|tts)(?:[^a-z]|$)/i;

function readRates(prices: ModelPrice): Omit<Period, "from"> | string {
  const found: { -readonly [Amount in keyof Rates]?: NanoUsd } = {};
  const notes = new Set<string>();
  for (const [unit, price] of Object.entries(prices)) {
    if (price === undefined || TOOL_UNITS.has(unit) || OTHER_INPUT.test(unit)) continue;
    const [amount, note] = UNITS.get(unit) ?? [];
    if (amount === undefined) return `priced by ${unit}`;
    const read = readPrice(unit, price);
    if (typeof read === "string") return read;
    if (read.tier !== undefined) notes.add(read.tier);
    const sofar = found[amount];
    if (sofar !== undefined && sofar >= read.highest) continue;
    found[amount] = read.highest;
    if (note !== undefined) notes.add(note);
  }
  if (found.input === undefined) return "no price per token of input";
  const rates = ratesOf(found);
  return dearerInput(prices, rates) ?? { rates, notes };
}

/** Why the price of input that is not text forbids to charge all input as text. */
function dearerInput(prices: ModelPrice, rates: Rates): string | undefined {
  for (const [unit, price] of Object.entries(prices)) {
    const kind = OTHER_INPUT.exec(unit)?.[1];
    if (kind === undefined || price === undefined) continue;
    const read = readPrice(unit, price);
    const text = kind === "cache" ? (rates.cacheRead ?? rates.input) : rates.input;
    if (typeof read === "string" || read.highest > text) return `${unit} is higher than for text`;
  }
  return undefined;
}

/** The highest tier of a price, or why it cannot be taken. */
function readPrice(
  unit: string,
  price: NonNullable<ModelPrice[string]>,
): { highest: NanoUsd; tier?: string } | string {
  const base = nanoUsd(unit, typeof price === "number" ? price : price.base);
  if (base === undefined) return `${unit} has more than nine decimals`;
  let found: { highest: NanoUsd; tier?: string } = { highest: base };
  for (const { start, price: text } of typeof price === "number" ? [] : price.tiers) {
    const amount = nanoUsd(unit, text);
    if (amount === undefined) return `${unit} has more than nine decimals`;
    if (amount > found.highest) found = { highest: amount, tier: `more than ${start} tokens of input` };
  }
  return found;
}

/**
 * The package has prices as JavaScript numbers, written in decimals. The shortest text of a number is what was written
 * as long as that has at most fifteen digits; a longer one was computed, and is refused.
 */
function nanoUsd(unit: string, price: number): NanoUsd | undefined {
  const text = String(price);
  if (text.replace(/e.*$/, "").replace(".", "").replace(/^0+/, "").length > 15) return undefined;
  const amount = scaledDecimal(text, unit.endsWith("_kcount") ? NANO_DECIMALS - 3 : NANO_DECIMALS);
  return isAmount(amount) ? amount : undefined;
}

/** The higher of each amount. Where one has no price of its own for cached input or reasoning, neither has the result. */
function highest(a: Rates, b: Rates): Rates {
  const max = (x: NanoUsd, y: NanoUsd) => (x > y ? x : y);
  const both = (x?: NanoUsd, y?: NanoUsd) => (x === undefined || y === undefined ? undefined : max(x, y));
  return ratesOf({
    perRequest: max(a.perRequest, b.perRequest),
    input: max(a.input, b.input),
    output: max(a.output, b.output),
    cacheRead: both(a.cacheRead, b.cacheRead),
    cacheWrite: both(a.cacheWrite, b.cacheWrite),
    reasoning: both(a.reasoning, b.reasoning),
  });
}

// Names

/** Names that no provider uses, to see which snapshots a rule covers. */
const SOME_DAYS = ["2023", "2024", "2025", "2026", "2027"].flatMap((year) => [
  ...[`-${year}0303`, `-${year}-03-03`, `@${year}0303`],
]);

/** The exact names that the rule of a model covers, and `name-*` for those whose snapshots it covers too. */
function namesOf(provider: Provider, model: ModelInfo, taken: ReadonlyMap<ModelInfo, unknown>): string[] {
  const own = [model.id, ...literalsOf(model.match).map((text) => text.replace(/[-@](?:20\d\d-?)?$/, ""))];
  const exact = [...new Set(own)].filter((name) => resolve(provider, name) === model);
  return exact.flatMap((name) =>
    coversSnapshots(provider, model, name, taken) ? [name, name + SNAPSHOTS] : [name],
  );
}

/** Whether the snapshots of a name cost what it costs: the rule has some of them, and no other rule has any. */
function coversSnapshots(
  provider: Provider,
  model: ModelInfo,
  name: string,
  taken: ReadonlyMap<ModelInfo, unknown>,
): boolean {
  if (snapshotBase(name) !== undefined || !/[a-z0-9]$/i.test(name)) return false;
  const days = SOME_DAYS.map((day) => resolve(provider, name + day));
  if (!days.includes(model) || days.some((found) => found !== undefined && found !== model)) return false;
  // A snapshot with a price of its own is found by its own name, if that price is in the list.
  const literals = provider.models.flatMap((other) => [other.id, ...literalsOf(other.match)]);
  const known = literals.filter((literal) => snapshotBase(literal) === name);
  return [...known, `${name}-latest`, `${name}@latest`].every((snapshot) => {
    const found = resolve(provider, snapshot);
    return found === undefined || found === model || taken.has(found);
  });
}

/** The model that the package finds by a name: the first whose rule covers it. */
function resolve(provider: Provider, name: string): ModelInfo | undefined {
  return provider.models.find((model) => covers(model.match, name));
}

function covers(rule: MatchLogic, name: string): boolean {
  const lower = name.toLowerCase();
  if ("or" in rule) return rule.or.some((part) => covers(part, name));
  if ("and" in rule) return rule.and.every((part) => covers(part, name));
  if ("equals" in rule) return lower === rule.equals.toLowerCase();
  if ("starts_with" in rule) return lower.startsWith(rule.starts_with.toLowerCase());
  if ("ends_with" in rule) return lower.endsWith(rule.ends_with.toLowerCase());
  if ("contains" in rule) return lower.includes(rule.contains.toLowerCase());
  return new RegExp(rule.regex).test(name);
}

/** The names that a rule spells out. */
function literalsOf(rule: MatchLogic): string[] {
  if ("or" in rule) return rule.or.flatMap(literalsOf);
  if ("and" in rule) return rule.and.flatMap(literalsOf);
  if ("equals" in rule) return [rule.equals];
  return "starts_with" in rule ? [rule.starts_with] : [];
}

if (import.meta.main) {
  const { list, leftOut } = generatePrices(new Date().toISOString().slice(0, 10));
  await Bun.write(new URL(`../${PRICES_FILE}`, import.meta.url), pricesFile(list));
  for (const { provider, model, reason } of leftOut) console.log(`left out: ${provider}/${model}: ${reason}`);
  console.log(`${PRICES_FILE}: ${list.models.length} entries; ${leftOut.length} models left out`);
}
