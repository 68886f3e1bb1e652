import { z } from "zod";
import { priceOf } from "../pricing/price-book.ts";
import { defineOperation } from "./operation.ts";
import { priceShape, showPrice } from "./price-shape.ts";

export const listPricesOperation = defineOperation({
  name: "prices.list",
  summary:
    "Lists the prices in force: those set here and those of the configured providers. `provider` shows another provider's, `all` every price there is, earlier and coming ones too.",
  changes: false,
  stale: [],
  input: z.strictObject({
    model: z.string().optional(),
    provider: z.string().optional(),
    all: z.boolean().default(false),
  }),
  output: z.object({ prices: z.array(priceShape) }),
  async run({ db, clock, program }, input) {
    const configured = program.providers();
    const rows = await db
      .selectFrom("prices")
      .selectAll()
      .$if(input.model !== undefined, (query) => query.where("model", "=", input.model ?? ""))
      .$if(input.provider !== undefined, (query) => query.where("provider", "=", input.provider ?? ""))
      .$if(!input.all, (query) => query.where("effective_from_ms", "<=", clock.now()))
      .orderBy("model")
      .orderBy("effective_from_ms", "desc")
      .orderBy("id", "desc")
      .execute();
    const seen = new Set<string>();
    const asked = input.all || input.provider !== undefined || input.model !== undefined;
    const shown = rows.filter((row) => {
      if (!asked && row.provider !== null && !configured.includes(row.provider)) return false;
      const key = `${row.provider ?? ""}\n${row.model}`;
      if (!input.all && seen.has(key)) return false;
      seen.add(key);
      return true;
    });
    return { output: { prices: shown.map((row) => showPrice(priceOf(row))) } };
  },
});
