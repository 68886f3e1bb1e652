import { z } from "zod";
import { createAccount } from "../accounts/accounts.ts";
import { defineOperation, must } from "./operation.ts";
import { accountShape, showAccount } from "./shapes.ts";

export const createAccountOperation = defineOperation({
  name: "accounts.create",
  summary: "Makes an account: a user, customer, team or tenant. It can call nothing until it has a key.",
  changes: true,
  stale: [],
  input: z.strictObject({
    username: z.string(),
    name: z.string().max(200).nullable().default(null),
    email: z.email().max(320).nullable().default(null),
  }),
  output: accountShape,
  async run({ db, clock }, { username, name, email }) {
    const account = must(await createAccount(db, { handle: username, name, email, nowMs: clock.now() }));
    return { output: showAccount(account), target: `account:${account.id}`, detail: { username } };
  },
});
