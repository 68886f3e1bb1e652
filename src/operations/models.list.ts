import { z } from "zod";
import { defineOperation } from "./operation.ts";

export const listModelsOperation = defineOperation({
  name: "models.list",
  summary: "Lists every model that is known, who serves it, and why not, where nobody can.",
  changes: false,
  stale: [],
  input: z.strictObject({}),
  output: z.object({
    models: z.array(
      z.object({
        id: z.number().nullable(),
        name: z.string(),
        aliases: z.array(z.string()),
        targets: z.array(z.object({ provider: z.string(), model: z.string() })),
        unavailable: z.string().nullable(),
      }),
    ),
  }),
  async run({ program }) {
    const models = await program.models();
    const copies = models.map((model) => ({
      ...model,
      aliases: [...model.aliases],
      targets: [...model.targets],
    }));
    return { output: { models: copies } };
  },
});
