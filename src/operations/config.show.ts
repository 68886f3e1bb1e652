import { z } from "zod";
import { defineOperation } from "./operation.ts";

export const showConfigOperation = defineOperation({
  name: "config.show",
  summary: "Shows the merged configuration of the running program, secrets redacted.",
  changes: false,
  stale: [],
  input: z.strictObject({}),
  output: z.record(z.string(), z.unknown()),
  async run({ program }) {
    return { output: { ...program.configuration() } };
  },
});
