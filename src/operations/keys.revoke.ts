import { z } from "zod";
import { findKey, revokeKey } from "../accounts/keys.ts";
import { defineOperation, must } from "./operation.ts";

export const revokeKeyOperation = defineOperation({
  name: "keys.revoke",
  summary: "Revokes a key for good: the next request with it is refused.",
  changes: true,
  stale: ["keys"],
  input: z.strictObject({
    key: z.string().min(1).describe("The key's id, the beginning of its digest, or the key"),
  }),
  output: z.object({ id: z.number() }),
  async run({ db, clock }, input) {
    const key = must(await findKey(db, input.key));
    await revokeKey(db, key.id, clock.now());
    return { output: { id: key.id }, target: `key:${key.id}` };
  },
});
