import { expect, test } from "bun:test";
import type { KyselyPlugin, RootOperationNode } from "kysely";
import { createQueryId } from "kysely";
import { listKeys } from "../../src/accounts/keys.ts";
import { usageFigures } from "../../src/operations/usage-figures.ts";
import type { Db } from "../../src/storage/database.ts";
import { type TempDatabase, tempDatabase } from "../support/temp-database.ts";

/** How SQLite runs the queries of an action: the plan's lines, of each query. */
async function plansOf(
  { db, other }: TempDatabase,
  action: (db: Db) => Promise<unknown>,
): Promise<string[][]> {
  const nodes: RootOperationNode[] = [];
  const watching: KyselyPlugin = {
    transformQuery({ node }) {
      nodes.push(node);
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  await action(db.withPlugin(watching));
  return nodes.map((node) => {
    const { sql, parameters } = db.getExecutor().compileQuery(node, createQueryId());
    const plan = other.query(`explain query plan ${sql}`).values(...(parameters as number[]));
    return plan.map((line) => String(line[3]));
  });
}

test("the last use of a key is the end of an index: no request is read", async () => {
  await using database = await tempDatabase();
  for (const accountId of [undefined, 1]) {
    const [plan] = await plansOf(database, (db) => listKeys(db, accountId));
    expect(plan).toContain("SEARCH requests USING COVERING INDEX requests_by_key (key_id=?)");
    expect(plan?.filter((line) => line.includes("TEMP B-TREE"))).toEqual([]);
  }
});

test("usage reads the rows of its account once", async () => {
  await using database = await tempDatabase();
  const plans = await plansOf(database, (db) => usageFigures(db, 1, 0));
  expect(plans).toEqual([["SEARCH requests USING INDEX requests_by_account (account_id=?)"]]);
});
