import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GatewayFailure } from "../../src/core/error.ts";
import {
  ATTEMPT_COLUMNS,
  attemptCells,
  REQUEST_COLUMNS,
  requestCells,
} from "../../src/ledger/journal-rows.ts";
import { isOpenToOthers, MIGRATION_NAMES, openDatabase } from "../../src/storage/database.ts";
import { requestRow } from "../ledger/journal-setup.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parallama-database-"));
  path = join(folder, "data", "deep", "parallama.db");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = async () => {
  const db = await openDatabase(path);
  await db.destroy();
};
/** The `GatewayFailure` that opening ends with, as its error. */
const failure = async () => {
  const thrown = await open().catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(GatewayFailure);
  return (thrown as GatewayFailure).error;
};

test("from nothing: the folder, the file and every table are made, for the owner alone", async () => {
  await open();
  const modes = [join(folder, "data"), join(folder, "data", "deep"), path].map(
    (p) => statSync(p).mode & 0o777,
  );
  expect(modes).toEqual([0o700, 0o700, 0o600]);
  expect(isOpenToOthers(join(folder, "data"))).toBe(false);
  using database = new Database(path);
  expect(database.query("select name from kysely_migration order by name").values().flat()).toEqual(
    MIGRATION_NAMES,
  );
});

test("opening it again changes nothing", async () => {
  await open();
  const before = schemaOf(path);
  await open();
  expect(schemaOf(path)).toEqual(before);
});

test("a database of a newer version is refused with what to do, and left as it is", async () => {
  await open();
  using database = new Database(path);
  database.run("insert into kysely_migration values ('9999-from-tomorrow', '2099-01-01')");
  const before = schemaOf(path);
  const { kind, message } = await failure();
  expect(kind).toBe("storage_unavailable");
  expect(message).toContain(path);
  expect(message).toContain("newer version");
  expect(message).toContain("9999-from-tomorrow");
  expect(schemaOf(path)).toEqual(before);
});

test("a migration that fails half-way leaves nothing behind, so that the next start can do it whole", async () => {
  await open();
  rmSync(join(folder, "data"), { recursive: true });
  path = join(folder, "parallama.db");
  // The last statement of the first migration cannot be carried out.
  using database = new Database(path, { create: true });
  database.run("create table settings (x)");
  expect((await failure()).message).toMatch(/cannot be brought up to date.*settings/);
  expect(database.query("select name from sqlite_master where name = 'accounts'").values()).toEqual([]);
  database.run("drop table settings");
  await open();
});

test("a folder that cannot be made is refused with what to do", async () => {
  writeFileSync(join(folder, "data"), "a file");
  const { kind, message } = await failure();
  expect(kind).toBe("storage_unavailable");
  expect(message).toMatch(/cannot be made \(user id \d+\).*--data-dir/);
});

test("a file that is not a database is refused with its path", async () => {
  path = join(folder, "letter.db");
  writeFileSync(path, "this is a letter to my grandmother".repeat(100));
  expect((await failure()).message).toContain(`${path} cannot be opened`);
});

test("a folder that others may enter is noticed", () => {
  expect(isOpenToOthers(folder)).toBe(false);
  expect(isOpenToOthers("/")).toBe(true);
});

test("src/storage/schema.ts says of every table what its columns are, in their order, and which may be null", async () => {
  await open();
  using database = new Database(path, { strict: true });
  const declared = declaredTables();
  const names = database
    .query(
      "select name from sqlite_master where type = 'table' and name not glob 'kysely_*' and name not glob 'sqlite_*' order by name",
    )
    .values()
    .flat();
  expect([...declared.keys()].sort()).toEqual(names.map(String));
  for (const [table, columns] of declared) {
    const real = database
      .query(`select name, "notnull", pk from pragma_table_info('${table}') order by cid`)
      .values();
    expect({ table, columns }).toEqual({
      table,
      columns: real.map(([name, notNull, pk]) => `${name}${notNull === 1 || Number(pk) > 0 ? "" : "?"}`),
    });
  }
});

test("the journal writes exactly the columns that its tables have", async () => {
  await open();
  const declared = declaredTables();
  const names = (table: string) => declared.get(table)?.map((column) => column.replace("?", ""));
  expect<readonly string[] | undefined>(REQUEST_COLUMNS).toEqual(names("requests"));
  expect<readonly string[] | undefined>(ATTEMPT_COLUMNS).toEqual(names("attempts"));
  const row = requestRow("a");
  expect(requestCells(row)).toHaveLength(REQUEST_COLUMNS.length);
  expect(attemptCells(row).map((cells) => cells.length)).toEqual([ATTEMPT_COLUMNS.length]);
});

/** The columns of each table as schema.ts types them; a `?` marks one that may be null. */
function declaredTables(): Map<string, string[]> {
  const text = readFileSync(new URL("../../src/storage/schema.ts", import.meta.url), "utf8");
  const interfaces = new Map(
    [...text.matchAll(/export interface (\w+) \{\n([\s\S]*?)\n\}/g)].map(([, name = "", body = ""]) => [
      name,
      body,
    ]),
  );
  const fields = (name: string) => [...(interfaces.get(name) ?? "").matchAll(/^ {2}(\w+): (.+);$/gm)];
  return new Map(
    fields("Schema").map(([, table = "", type = ""]) => [
      table,
      fields(type).map(
        ([, column = "", columnType = ""]) => `${column}${columnType.includes("| null") ? "?" : ""}`,
      ),
    ]),
  );
}

function schemaOf(file: string): unknown[] {
  using database = new Database(file);
  return database.query("select sql from sqlite_master order by name").values();
}
