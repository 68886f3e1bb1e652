import { z } from "zod";
import { gatewayError } from "../core/error.ts";
import { readJsonObject } from "../core/json-object.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import {
  amountOf,
  jsonProblem,
  type ListedPrice,
  nameProblem,
  type PriceList,
  ratesOf,
  type SkippedPrice,
  shownName,
} from "./listed-price.ts";

const MAX_DEPTH = 16;

const amount = z
  .string('amounts are text, such as "0.25", so that they stay exact')
  .transform((text, context) => {
    const nanoUsd = amountOf(text);
    if (nanoUsd !== undefined) return nanoUsd;
    context.addIssue("not an amount in US dollars with at most nine decimals");
    return z.NEVER;
  });

const entryShape = z.strictObject({
  provider: z.string(),
  model: z.string(),
  /** Further names at the same price; `name-*` stands for the snapshots of `name`. */
  aliases: z.array(z.string()).max(1000).default([]),
  perRequest: amount.optional(),
  input: amount,
  output: amount,
  cacheRead: amount.optional(),
  cacheWrite: amount.optional(),
  reasoning: amount.optional(),
  effectiveFrom: z.union([z.iso.date(), z.iso.datetime()]).optional(),
  contextWindow: z.number().optional(),
  note: z.string().optional(),
});

const listName = z
  .string()
  .regex(
    /^(?!set\b)[\w.@/ -]{1,64}$/,
    "a list's name consists of letters, digits, and . _ - @ /, and is not 'set'",
  );

const listShape = z.object({
  source: listName,
  sourceVersion: listName.optional(),
  generatedAt: z.iso.date(),
  models: z.array(z.unknown()),
});

/**
 * One entry of the format, as it is written. Amounts are exact decimal US dollars; token prices are per million tokens.
 * `effectiveFrom` is the first day of a price that changes; the price is in force until the next one of the same model.
 */
export type ParallamaEntry = z.input<typeof entryShape>;

/** The whole file. */
export interface ParallamaList {
  readonly source: string;
  readonly sourceVersion?: string;
  /** Under which the figures are passed on, where they are another's work. Not read. */
  readonly licence?: string;
  readonly generatedAt: string;
  readonly models: readonly ParallamaEntry[];
}

/** Reads our own format. A file that is not of it is refused as a whole; an entry that is wrong is skipped alone. */
export function readParallamaList(text: string): Result<PriceList> {
  const json = readJsonObject(new TextEncoder().encode(text), MAX_DEPTH);
  if (!json.ok)
    return refuse(gatewayError("bad_request", `The list cannot be read: ${jsonProblem(json.error)}`));
  const list = listShape.safeParse(json.value.value);
  if (!list.success)
    return refuse(gatewayError("bad_request", `The list cannot be read: ${problemOf(list.error)}`));
  const { source, sourceVersion, generatedAt, models } = list.data;
  const prices: ListedPrice[] = [];
  const skipped: SkippedPrice[] = [];
  for (const [index, raw] of models.entries()) {
    const entry = entryShape.safeParse(raw);
    if (entry.success) readEntry(entry.data, prices, skipped);
    else skipped.push({ ...namesIn(raw, index), reason: problemOf(entry.error) });
  }
  return ok({ source: [source, sourceVersion, generatedAt].filter(Boolean).join(" "), prices, skipped });
}

function readEntry(entry: z.output<typeof entryShape>, prices: ListedPrice[], skipped: SkippedPrice[]): void {
  const { provider, effectiveFrom } = entry;
  const rates = ratesOf(entry);
  for (const model of [entry.model, ...entry.aliases]) {
    const reason = nameProblem(provider, model);
    if (reason !== undefined) {
      skipped.push({ provider, model: shownName(model), reason });
      continue;
    }
    const dated = effectiveFrom === undefined ? {} : { effectiveFromMs: Date.parse(effectiveFrom) };
    prices.push({ provider, model, ...dated, rates });
  }
}

const partial = z.object({
  provider: z.string().optional().catch(undefined),
  model: z.string().optional().catch(undefined),
});

/** What an entry that cannot be read calls itself, for the report. */
function namesIn(raw: unknown, index: number): Pick<SkippedPrice, "provider" | "model"> {
  const { provider, model } = partial.safeParse(raw).data ?? {};
  return { ...(provider === undefined ? {} : { provider }), model: shownName(model ?? `entry ${index + 1}`) };
}

function problemOf(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return "not an entry";
  const path = issue.path.join(".");
  return shownName(path === "" ? issue.message : `${path}: ${issue.message}`);
}
