import { afterEach, beforeEach, expect, test } from "bun:test";
import { sql } from "kysely";
import type { Db } from "../../src/storage/database.ts";
import { type TempDatabase, tempDatabase } from "../support/temp-database.ts";
import { gate, within } from "../support/within.ts";

let database: TempDatabase;
let db: Db;
beforeEach(async () => {
  database = await tempDatabase();
  db = database.db;
});
afterEach(() => database[Symbol.asyncDispose]());

const set = (on: Db, name: string, value: string) =>
  on
    .insertInto("settings")
    .values({ name, value })
    .onConflict((c) => c.doUpdateSet({ value }))
    .execute();
const committed = () => database.other.query("select name, value from settings order by name").values();

test("a transaction is seen by others only when it has ended", async () => {
  const pause = gate();
  const written = gate();
  const transaction = db.transaction().execute(async (trx) => {
    await set(trx, "a", "1");
    written.open();
    await pause.opened;
  });
  await written.opened;
  expect(committed()).toEqual([]);
  pause.open();
  await transaction;
  expect(committed()).toEqual([["a", "1"]]);
});

test("an error in the middle rolls everything back and leaves the connection usable", async () => {
  const failing = db.transaction().execute(async (trx) => {
    await set(trx, "a", "1");
    await sql`insert into missing values (1)`.execute(trx);
  });
  await expect(failing).rejects.toThrow(/no such table/);
  expect(committed()).toEqual([]);
  await set(db, "b", "2");
  expect(committed()).toEqual([["b", "2"]]);
});

test("an exception that is not the database's rolls back too", async () => {
  const failing = db.transaction().execute(async (trx) => {
    await set(trx, "a", "1");
    throw new RangeError("changed my mind");
  });
  expect(await failing.catch((thrown: unknown) => thrown)).toBeInstanceOf(RangeError);
  expect(committed()).toEqual([]);
});

test("a transaction that SQLite has rolled back by itself keeps its first error", async () => {
  database.other.run("create table picky (x integer unique on conflict rollback)");
  const failing = db.transaction().execute(async (trx) => {
    await set(trx, "a", "1");
    await sql`insert into picky values (1), (1)`.execute(trx);
  });
  expect(String(await failing.catch((thrown: unknown) => thrown))).toContain("UNIQUE constraint failed");
  expect(committed()).toEqual([]);
  await set(db, "b", "2");
  expect(committed()).toEqual([["b", "2"]]);
});

test("transactions that begin together run one after the other, and none is lost", async () => {
  await set(db, "n", "0");
  const increment = () =>
    db.transaction().execute(async (trx) => {
      const row = await trx
        .selectFrom("settings")
        .select("value")
        .where("name", "=", "n")
        .executeTakeFirstOrThrow();
      await Bun.sleep(1);
      await set(trx, "n", String(Number(row.value) + 1));
    });
  await Promise.all(Array.from({ length: 20 }, increment));
  expect(committed()).toEqual([["n", "20"]]);
});

test("a transaction that begins by reading has its turn to write already", async () => {
  database.other.run("pragma busy_timeout = 0");
  await db.transaction().execute(async (trx) => {
    await trx.selectFrom("settings").selectAll().execute();
    // Written now, this would make the transaction's own write fail.
    expect(() => database.other.run("insert into settings values ('b', '2')")).toThrow(/locked/);
    await set(trx, "a", "1");
  });
  expect(committed()).toEqual([["a", "1"]]);
});

test("a plain query waits for the transaction in progress", async () => {
  const order: string[] = [];
  const pause = gate();
  const transaction = db
    .transaction()
    .execute(async () => pause.opened)
    .then(() => order.push("transaction"));
  const query = set(db, "a", "1").then(() => order.push("query"));
  await Bun.sleep(5);
  pause.open();
  await within("both", Promise.all([transaction, query]));
  expect(order).toEqual(["transaction", "query"]);
});

test("while another process writes, a statement waits without stopping the event loop", async () => {
  database.other.run("begin immediate");
  let ended = false;
  const writing = set(db, "a", "1").then(() => {
    ended = true;
  });
  // The loop turns while the file is locked: a busy time-out of SQLite's would stop it here.
  for (let turn = 0; turn < 20; turn++) await Bun.sleep(1);
  expect(ended).toBe(false);
  database.other.run("rollback");
  await within("the statement", writing);
  expect(committed()).toEqual([["a", "1"]]);
});

test("streaming is refused rather than imitated", async () => {
  const iterate = async () => {
    for await (const _ of db.selectFrom("settings").selectAll().stream()) throw new Error("a row");
  };
  await expect(iterate()).rejects.toThrow(/page by key/);
});
