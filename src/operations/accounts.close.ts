import { z } from "zod";
import { closeAccount, findAccount } from "../accounts/accounts.ts";
import { defineOperation, must } from "./operation.ts";
import { username } from "./shapes.ts";

export const closeAccountOperation = defineOperation({
  name: "accounts.close",
  summary: "Closes an account: its keys are revoked for good, what it used stays on the books.",
  changes: true,
  stale: ["keys"],
  input: z.strictObject({ username }),
  output: z.object({ id: z.number(), username: z.string().nullable(), revokedKeys: z.number() }),
  async run({ db, clock }, input) {
    const account = must(await findAccount(db, input.username));
    const { revokedKeys } = await closeAccount(db, account.id, clock.now());
    return {
      output: { id: account.id, username: account.handle, revokedKeys },
      target: `account:${account.id}`,
      detail: { revokedKeys },
    };
  },
});
