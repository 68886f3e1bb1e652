import { Database, type SQLQueryBindings } from "bun:sqlite";
import { chmodSync, existsSync } from "node:fs";

/**
 * Opens an SQLite file the one way that this program does: write-ahead log, a commit is on the disk when it returns,
 * integers exact. Asserts both, since a binding may silently come back with less.
 */
export function openSqlite(path: string, options: { create: boolean; busyTimeoutMs: number }): Database {
  const isNew = !existsSync(path);
  const database = new Database(path, {
    readwrite: true,
    create: options.create,
    safeIntegers: true,
    strict: true,
  });
  try {
    if (isNew) chmodSync(path, 0o600);
    setUp(database, options.busyTimeoutMs);
  } catch (thrown) {
    database.close();
    throw thrown;
  }
  return database;
}

function setUp(database: Database, busyTimeoutMs: number): void {
  database.run(`pragma busy_timeout = ${busyTimeoutMs}`);
  database.run("pragma journal_mode = wal");
  database.run("pragma synchronous = full");
  database.run("pragma foreign_keys = on");
  const synchronous = database.query("pragma synchronous").values()[0]?.[0];
  const journalMode = database.query("pragma journal_mode").values()[0]?.[0];
  if (synchronous !== 2n || journalMode !== "wal") {
    throw new Error(`SQLite does not give the durability asked for (${synchronous}, ${journalMode})`);
  }
}

/**
 * Rows as queries get them: whole numbers as numbers, money (columns named `..._nano_usd...`) as bigint, since a sum of
 * nano-dollars may pass 2^53.
 */
export function rowsOf(
  database: Database,
  statement: string,
  parameters: readonly unknown[],
): { rows: Record<string, unknown>[]; changes: number; lastInsertRowid: bigint } {
  using prepared = database.prepare(statement);
  const bindings = parameters as SQLQueryBindings[];
  if (prepared.columnNames.length === 0) {
    const result = prepared.run(...bindings);
    return { rows: [], changes: result.changes, lastInsertRowid: BigInt(result.lastInsertRowid) };
  }
  const rows = prepared.all(...bindings) as Record<string, unknown>[];
  for (const row of rows) {
    for (const [column, value] of Object.entries(row)) {
      if (typeof value === "bigint" && !column.includes("nano_usd")) row[column] = Number(value);
    }
  }
  return { rows, changes: rows.length, lastInsertRowid: 0n };
}

/** Whether an error means that another connection is writing just now. */
export function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && "code" in thrown && String(thrown.code).startsWith("SQLITE_BUSY");
}
