import { z } from "zod";
import { findAccount } from "../accounts/accounts.ts";
import { listKeys } from "../accounts/keys.ts";
import { defineOperation, must } from "./operation.ts";
import { shownKeyShape, showShownKey, username } from "./shapes.ts";

export const listKeysOperation = defineOperation({
  name: "keys.list",
  summary: "Lists the keys of one account, or of all. Never shows a key itself.",
  changes: false,
  stale: [],
  input: z.strictObject({ username: username.optional() }),
  output: z.object({ keys: z.array(shownKeyShape) }),
  async run({ db, clock }, input) {
    const account = input.username === undefined ? undefined : must(await findAccount(db, input.username));
    const keys = await listKeys(db, account?.id);
    return { output: { keys: keys.map((key) => showShownKey(key, clock.now())) } };
  },
});
