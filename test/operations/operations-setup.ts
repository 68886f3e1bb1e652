import type { Clock } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/ids.ts";
import { canonicalModelName } from "../../src/core/model-name.ts";
import type { Result } from "../../src/core/result.ts";
import { findOperation } from "../../src/operations/index.ts";
import { type OperationContext, runOperation } from "../../src/operations/operation.ts";
import { isObject } from "../support/json-access.ts";
import { type TempDatabase, tempDatabase } from "../support/temp-database.ts";

/** 2026-02-03 04:05:06 UTC. */
export const NOW_MS = Date.UTC(2026, 1, 3, 4, 5, 6);
export const ACTOR = "key:99";

export interface Operations extends TempDatabase {
  readonly context: OperationContext;
  /** Moves when a test says so. */
  readonly time: { nowMs: number };
  /** The key that Ann was made, as it was shown once. */
  readonly secret: string;
  run(name: string, input: unknown, context?: OperationContext): Promise<Result<unknown>>;
  /** Runs an operation that must go well; gives a field of its output, or all of it. */
  must(name: string, input: unknown): Promise<Record<string, unknown>>;
  audit(): AuditRow[];
  /** What is in every table besides the audit. */
  contents(): unknown;
}

export interface AuditRow {
  readonly at_ms: number;
  readonly actor: string;
  readonly operation: string;
  readonly target: string;
  readonly detail: string;
}

const TABLES = ["accounts", "keys", "key_secrets", "models", "prices", "requests", "attempts", "settings"];

/**
 * A database with one account ("ann", id 1) that has a key (id 1), a model that was added ("added", id 1), one of the
 * product's own ("seeded", id 2), and a price; the audit is empty.
 */
export async function operations(): Promise<Operations> {
  const database = await tempDatabase();
  const { db, other, path } = database;
  const time = { nowMs: NOW_MS };
  const clock: Clock = { now: () => time.nowMs, monotonicMs: () => time.nowMs };
  const context: OperationContext = {
    db,
    clock,
    random: systemRandom,
    program: {
      databasePath: path,
      configuration: () => ({ server: { port: 8000 } }),
      models: async () => [
        {
          id: 1,
          name: "added",
          aliases: ["alias"],
          targets: [{ provider: "up", model: "m" }],
          unavailable: null,
        },
      ],
      canonicalModel: (name) => (name === "alias" ? "added" : canonicalModelName(name)),
      knowsModel: (name) => name === "added" || name === "alias",
      providers: () => ["up", "other"],
    },
  };
  const run: Operations["run"] = (name, input, inside = context) => {
    const operation = findOperation(name);
    if (operation === undefined) throw new Error(`there is no operation ${name}`);
    return runOperation(inside, operation, input, ACTOR);
  };
  const must: Operations["must"] = async (name, input) => {
    const result = await run(name, input);
    if (!result.ok) throw new Error(`${name}: ${result.error.message}`);
    if (!isObject(result.value)) throw new Error(`${name} gave no object`);
    return { ...result.value };
  };
  await must("accounts.create", { username: "ann" });
  const { secret } = await must("keys.create", { username: "ann" });
  await must("models.add", { name: "added", provider: "up", model: "m" });
  await must("prices.set", { model: "added", input: "1" });
  other.run(
    `insert into models (name, aliases, targets, state, origin, created_at_ms) values ('seeded', '[]', '[]', 'active', 'seed', 0)`,
  );
  other.run("delete from audit");
  return {
    ...database,
    context,
    time,
    secret: String(secret),
    run,
    must,
    audit: () =>
      other
        .query<Record<string, string | bigint>, []>("select * from audit order by id")
        .all()
        .map((row) => ({
          at_ms: Number(row.at_ms),
          actor: String(row.actor),
          operation: String(row.operation),
          target: String(row.target),
          detail: String(row.detail),
        })),
    contents: () => TABLES.map((table) => [table, other.query(`select * from ${table}`).values()]),
  };
}
