import { z } from "zod";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import { defineOperation } from "./operation.ts";

const NAME = /^[^\s\p{Cc}]{1,128}$/u;

export const addModelOperation = defineOperation({
  name: "models.add",
  summary:
    "Names a model and says who serves it. With `replace`, a model of that name gets the new target in front.",
  changes: true,
  stale: ["models"],
  input: z.strictObject({
    name: z.string().regex(NAME, "1 to 128 characters without blanks"),
    provider: z.string().min(1),
    model: z.string().min(1).describe("The provider's own name of it; for 'local', a GGUF file"),
    aliases: z.array(z.string().regex(NAME)).default([]),
    origin: z.enum(["add", "pull"]).default("add"),
    replace: z.boolean().default(false),
  }),
  output: z.object({ id: z.number(), name: z.string() }),
  async run({ db, clock, program }, input) {
    const name = program.canonicalModel(input.name);
    const target = { provider: input.provider, model: input.model };
    const providers = program.providers();
    if (!providers.includes(input.provider)) {
      const text = `There is no provider '${input.provider}'. Those that are configured: ${providers.join(", ")}`;
      throw new GatewayFailure(gatewayError("bad_request", text, { param: "provider" }));
    }
    const taken = input.aliases.find(
      (alias) => program.knowsModel(alias) && program.canonicalModel(alias) !== name,
    );
    if (taken !== undefined) {
      throw new GatewayFailure(
        gatewayError("conflict", `'${taken}' already names another model`, { param: "aliases" }),
      );
    }
    const existing = await db.selectFrom("models").selectAll().where("name", "=", name).executeTakeFirst();
    const detail = { name, ...target };
    if (existing === undefined) {
      const { id } = await db
        .insertInto("models")
        .values({
          name,
          aliases: JSON.stringify(input.aliases),
          targets: JSON.stringify([target]),
          state: "active",
          origin: input.origin,
          created_at_ms: clock.now(),
        })
        .returning("id")
        .executeTakeFirstOrThrow();
      return { output: { id, name }, target: `model:${id}`, detail };
    }
    if (!input.replace) throw new GatewayFailure(gatewayError("conflict", `Model '${name}' already exists`));
    const others = (JSON.parse(existing.targets) as (typeof target)[]).filter(
      (other) => other.provider !== target.provider || other.model !== target.model,
    );
    await db
      .updateTable("models")
      .set({
        targets: JSON.stringify([target, ...others]),
        aliases: JSON.stringify([...new Set([...JSON.parse(existing.aliases), ...input.aliases])]),
        state: "active",
      })
      .where("id", "=", existing.id)
      .execute();
    return { output: { id: existing.id, name }, target: `model:${existing.id}`, detail };
  },
});
