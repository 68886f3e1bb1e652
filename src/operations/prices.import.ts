import { z } from "zod";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import { readPriceList } from "../pricing/import.ts";
import type { PriceList, SkippedPrice } from "../pricing/listed-price.ts";
import { importPriceList, readBuiltinList } from "../pricing/store-import.ts";
import { defineOperation, must } from "./operation.ts";

const MAX_LIST_CHARACTERS = 32 * 1024 * 1024;
/** More are counted, not listed. */
const MAX_SHOWN = 100;

export const importPricesOperation = defineOperation({
  name: "prices.import",
  summary:
    "Imports a list of prices, in force from now on. Prices that stand already are left alone, and so are those set by hand.",
  changes: true,
  stale: ["prices"],
  input: z
    .strictObject({
      format: z
        .enum(["builtin", "parallama", "litellm"])
        .describe("builtin: the list that comes with the program; otherwise the format of `text`"),
      text: z.string().min(1).max(MAX_LIST_CHARACTERS).optional().describe("The file's content"),
      provider: z.string().min(1).optional().describe("Take only this provider's prices"),
      replaceManual: z.boolean().default(false).describe("Replace prices that were set by hand too"),
      dryRun: z.boolean().default(false).describe("Only say what would be imported"),
    })
    .refine((input) => (input.format === "builtin") === (input.text === undefined), {
      path: ["text"],
      error: "the file's content, with the formats parallama and litellm and with no other",
    }),
  output: z.object({
    imported: z.number().describe("Prices added; with dryRun: that would be"),
    unchanged: z.number(),
    skipped: z
      .array(z.object({ model: z.string(), reason: z.string() }))
      .describe(`What was not taken, and why; at most ${MAX_SHOWN}`),
    skippedCount: z.number(),
    source: z.string(),
  }),
  async run({ db, clock }, input) {
    const { format, text, provider, replaceManual, dryRun } = input;
    const nowMs = clock.now();
    const whole =
      format === "builtin" ? await readBuiltinList() : must(readPriceList(format, text ?? "", nowMs));
    const list = provider === undefined ? whole : onlyOf(whole, provider);
    const plan = await importPriceList(db, list, { nowMs, replaceManual, dryRun });
    const skipped = [...list.skipped, ...plan.skipped];
    const { source } = list;
    const counts = { imported: plan.rows.length, unchanged: plan.unchanged, skippedCount: skipped.length };
    return {
      output: { ...counts, skipped: skipped.slice(0, MAX_SHOWN).map(showSkipped), source },
      target: "prices",
      detail: { format, provider: provider ?? null, replaceManual, dryRun, source, ...counts },
    };
  },
});

function onlyOf(list: PriceList, provider: string): PriceList {
  const prices = list.prices.filter((price) => price.provider === provider);
  const skipped = list.skipped.filter((price) => price.provider === provider);
  if (prices.length > 0 || skipped.length > 0) return { ...list, prices, skipped };
  const known = [...new Set(list.prices.map((price) => price.provider))].sort();
  const text = `The list has no prices of the provider '${provider}'. It has those of: ${known.slice(0, 100).join(", ") || "none"}`;
  throw new GatewayFailure(gatewayError("bad_request", text, { param: "provider" }));
}

function showSkipped({ provider, model, reason }: SkippedPrice): { model: string; reason: string } {
  return { model: provider === undefined ? model : `${provider}/${model}`, reason };
}
