import { z } from "zod";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import { parseUsd } from "../core/money.ts";
import { priceOf } from "../pricing/price-book.ts";
import { defineOperation } from "./operation.ts";
import { priceShape, showPrice, usd } from "./price-shape.ts";
import { time } from "./shapes.ts";

export const setPriceOperation = defineOperation({
  name: "prices.set",
  summary:
    "Sets what a model costs from a moment on. Earlier requests keep the price that they were charged by.",
  changes: true,
  stale: ["prices"],
  input: z.strictObject({
    model: z.string().min(1),
    provider: z.string().min(1).nullable().default(null),
    perRequest: usd.default("0"),
    input: usd.default("0"),
    output: usd.default("0"),
    cacheRead: usd.nullable().default(null),
    cacheWrite: usd.nullable().default(null),
    reasoning: usd.nullable().default(null),
    effectiveFrom: time.nullable().default(null).describe("Absent: now"),
  }),
  output: priceShape,
  async run({ db, clock, program }, input) {
    const model = input.provider === null ? program.canonicalModel(input.model) : input.model;
    const row = await db
      .insertInto("prices")
      .values({
        model,
        provider: input.provider,
        effective_from_ms: input.effectiveFrom === null ? clock.now() : Date.parse(input.effectiveFrom),
        per_request_nano_usd: amount(input.perRequest),
        input_nano_usd_per_million: amount(input.input),
        output_nano_usd_per_million: amount(input.output),
        cache_read_nano_usd_per_million: input.cacheRead === null ? null : amount(input.cacheRead),
        cache_write_nano_usd_per_million: input.cacheWrite === null ? null : amount(input.cacheWrite),
        reasoning_nano_usd_per_million: input.reasoning === null ? null : amount(input.reasoning),
        source: "set",
        created_at_ms: clock.now(),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    return { output: showPrice(priceOf(row)), target: `price:${row.id}`, detail: { ...input, model } };
  },
});

function amount(text: string): bigint {
  const nanoUsd = parseUsd(text);
  if (nanoUsd !== undefined) return nanoUsd;
  throw new GatewayFailure(
    gatewayError("bad_request", `'${text}' is not an amount in US dollars, such as 0.25`),
  );
}
