import { z } from "zod";
import { findAccount } from "../accounts/accounts.ts";
import { listKeys } from "../accounts/keys.ts";
import { defineOperation, must } from "./operation.ts";
import { accountShape, showAccount, shownKeyShape, showShownKey, username } from "./shapes.ts";
import { usageFigures, usageFiguresShape } from "./usage-figures.ts";

export const showAccountOperation = defineOperation({
  name: "accounts.show",
  summary: "Shows an account, what it used today, and its keys.",
  changes: false,
  stale: [],
  input: z.strictObject({ username }),
  output: z.object({ account: accountShape, usage: usageFiguresShape, keys: z.array(shownKeyShape) }),
  async run({ db, clock }, input) {
    const account = must(await findAccount(db, input.username));
    const keys = await listKeys(db, account.id);
    const nowMs = clock.now();
    return {
      output: {
        account: showAccount(account),
        usage: await usageFigures(db, account.id, nowMs),
        keys: keys.map((key) => showShownKey(key, nowMs)),
      },
    };
  },
});
