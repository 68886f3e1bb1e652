import { statSync } from "node:fs";
import { z } from "zod";
import { MIGRATION_NAMES } from "../storage/database.ts";
import { defineOperation } from "./operation.ts";

const TABLES = ["accounts", "keys", "models", "prices", "requests", "attempts", "audit"] as const;

export const databaseInfoOperation = defineOperation({
  name: "db.info",
  summary: "Shows where the database is, how large, of which version, and how much is in it.",
  changes: false,
  stale: [],
  input: z.strictObject({}),
  output: z.object({
    engine: z.literal("sqlite"),
    path: z.string(),
    sizeBytes: z.number(),
    schema: z.string(),
    rows: z.record(z.string(), z.number()),
  }),
  async run({ db, program }) {
    const rows: Record<string, number> = {};
    for (const table of TABLES) {
      const counted = await db
        .selectFrom(table)
        .select((eb) => eb.fn.countAll<number>().as("rows"))
        .executeTakeFirstOrThrow();
      rows[table] = counted.rows;
    }
    const path = program.databasePath;
    const schema = MIGRATION_NAMES.at(-1) ?? "";
    return { output: { engine: "sqlite" as const, path, sizeBytes: statSync(path).size, schema, rows } };
  },
});
