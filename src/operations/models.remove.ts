import { z } from "zod";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import { defineOperation } from "./operation.ts";

export const removeModelOperation = defineOperation({
  name: "models.remove",
  summary: "Removes a model that was added or pulled. Files stay unless the command is told to delete them.",
  changes: true,
  stale: ["models"],
  input: z.strictObject({ model: z.string().min(1).describe("Its name or id") }),
  output: z.object({
    id: z.number(),
    name: z.string(),
    targets: z.array(z.object({ provider: z.string(), model: z.string() })),
  }),
  async run({ db, program }, input) {
    const query = db.selectFrom("models").selectAll();
    const row = await (/^\d{1,15}$/.test(input.model)
      ? query.where("id", "=", Number(input.model))
      : query.where("name", "=", program.canonicalModel(input.model))
    ).executeTakeFirst();
    if (row === undefined) {
      const text = `Model '${input.model}' was not added here, so it cannot be removed; what a provider lists goes when the provider drops it.`;
      throw new GatewayFailure(gatewayError("not_found", text));
    }
    if (row.origin === "seed") {
      const text = `Model '${row.name}' (id ${row.id}) belongs to the product and cannot be removed.`;
      throw new GatewayFailure(gatewayError("conflict", text));
    }
    await db.deleteFrom("models").where("id", "=", row.id).execute();
    const output = { id: row.id, name: row.name, targets: JSON.parse(row.targets) };
    return { output, target: `model:${row.id}`, detail: { name: row.name } };
  },
});
