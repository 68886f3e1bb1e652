import { z } from "zod";
import { listAccounts } from "../accounts/accounts.ts";
import { defineOperation } from "./operation.ts";
import { accountShape, showAccount } from "./shapes.ts";

export const listAccountsOperation = defineOperation({
  name: "accounts.list",
  summary: "Lists all accounts, closed ones too.",
  changes: false,
  stale: [],
  input: z.strictObject({}),
  output: z.object({ accounts: z.array(accountShape) }),
  async run({ db }) {
    return { output: { accounts: (await listAccounts(db)).map(showAccount) } };
  },
});
