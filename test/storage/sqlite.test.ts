import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBusy, openSqlite, rowsOf } from "../../src/storage/sqlite.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parallama-sqlite-"));
  path = join(folder, "x.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => openSqlite(path, { create: true, busyTimeoutMs: 7 });
const modeOf = (file: string) => (statSync(file).mode & 0o777).toString(8);

test.each([
  ["journal_mode", "wal"],
  ["synchronous", 2n],
  ["foreign_keys", 1n],
  ["busy_timeout", 7n],
])("pragma %s is %p", (pragma, value) => {
  using database = open();
  expect(database.query(`pragma ${pragma}`).values()).toEqual([[value]]);
});

describe("file modes", () => {
  let umask: number;
  beforeEach(() => {
    umask = process.umask(0);
  });
  afterEach(() => {
    process.umask(umask);
  });

  test("a new database and what SQLite puts beside it are the owner's alone", () => {
    using database = open();
    database.run("create table t (x)");
    expect([path, `${path}-wal`, `${path}-shm`].map(modeOf)).toEqual(["600", "600", "600"]);
  });

  test("the mode of a database that is there already is left alone", () => {
    new Database(path, { create: true }).close();
    chmodSync(path, 0o640);
    open().close();
    expect(modeOf(path)).toBe("640");
  });
});

test("a missing file is made only where that was asked for", () => {
  expect(() => openSqlite(path, { create: false, busyTimeoutMs: 0 })).toThrow(/unable to open/);
});

test("a file that is not a database is refused", () => {
  writeFileSync(path, "this is a letter to my grandmother".repeat(100));
  expect(open).toThrow(/not a database/);
});

test("money comes as bigint and exact beyond 2^53, other whole numbers as numbers", () => {
  using database = open();
  const big = 2n ** 53n + 1n;
  const row = rowsOf(
    database,
    "select ? as cost_nano_usd, ? as input_nano_usd_per_million, null as x_nano_usd, ? as tokens, 1.5 as real, 'a' as text",
    [big, 1n, 5],
  ).rows[0];
  expect(row).toEqual({
    cost_nano_usd: big,
    input_nano_usd_per_million: 1n,
    x_nano_usd: null,
    tokens: 5,
    real: 1.5,
    text: "a",
  });
});

test("a sum of money beyond 2^53 is exact", () => {
  using database = open();
  database.run("create table t (cost_nano_usd integer not null) strict");
  for (const cost of [2n ** 53n, 1n, 1n]) rowsOf(database, "insert into t values (?)", [cost]);
  const { rows } = rowsOf(database, "select sum(cost_nano_usd) as total_nano_usd, count(*) as n from t", []);
  expect(rows).toEqual([{ total_nano_usd: 2n ** 53n + 2n, n: 3 }]);
});

test("a statement without rows says what it changed", () => {
  using database = open();
  database.run("create table t (id integer primary key, x text) strict");
  expect(rowsOf(database, "insert into t (x) values (?), (?)", ["a", "b"])).toEqual({
    rows: [],
    changes: 2,
    lastInsertRowid: 2n,
  });
  expect(rowsOf(database, "insert into t (x) values ('c') returning id", []).rows).toEqual([{ id: 3 }]);
});

test("only an error of a locked database counts as busy", () => {
  using database = open();
  using other = open();
  database.run("create table t (x)");
  other.run("begin immediate");
  expect(isBusy(thrownBy(() => database.run("insert into t values (1)")))).toBe(true);
  expect(isBusy(thrownBy(() => database.run("insert into missing values (1)")))).toBe(false);
  expect(isBusy("SQLITE_BUSY")).toBe(false);
});

function thrownBy(act: () => void): unknown {
  try {
    act();
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
}
