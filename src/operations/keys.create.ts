import { z } from "zod";
import { findAccount } from "../accounts/accounts.ts";
import { createKey } from "../accounts/keys.ts";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import { defineOperation, must } from "./operation.ts";
import { keyShape, showKey, time, username } from "./shapes.ts";

export const createKeyOperation = defineOperation({
  name: "keys.create",
  summary: "Makes a key for an account. The key is in this answer and is never shown again.",
  changes: true,
  stale: ["keys"],
  input: z.strictObject({
    username,
    name: z.string().max(200).nullable().default(null),
    role: z.enum(["user", "admin"]).default("user"),
    allowedModels: z
      .array(z.string().min(1))
      .nullable()
      .default(null)
      .describe("Absent or empty: every model"),
    expiresAt: time.nullable().default(null),
  }),
  output: z.object({
    key: keyShape,
    secret: z.string(),
    unknownModels: z.array(z.string()).describe("Allowed models that nobody offers now; perhaps a slip"),
  }),
  async run({ db, clock, random, program }, input) {
    const account = must(await findAccount(db, input.username));
    if (account.state === "closed") {
      throw new GatewayFailure(gatewayError("conflict", `User '${input.username}' is closed`));
    }
    const expiresAtMs = input.expiresAt === null ? null : Date.parse(input.expiresAt);
    if (expiresAtMs !== null && expiresAtMs <= clock.now()) {
      throw new GatewayFailure(
        gatewayError("bad_request", "expiresAt: lies in the past", { param: "expiresAt" }),
      );
    }
    const { key, secret } = await createKey(
      db,
      {
        accountId: account.id,
        prefix: input.role === "admin" ? "ak" : "pk",
        role: input.role,
        name: input.name,
        allowedModels: input.allowedModels?.map((model) => program.canonicalModel(model)) ?? null,
        expiresAtMs,
        nowMs: clock.now(),
      },
      random,
    );
    return {
      output: {
        key: showKey(key, clock.now()),
        secret,
        unknownModels: key.allowedModels?.filter((model) => !program.knowsModel(model)) ?? [],
      },
      target: `key:${key.id}`,
      detail: {
        account: account.id,
        role: input.role,
        allowedModels: key.allowedModels,
        expiresAt: input.expiresAt,
      },
    };
  },
});
