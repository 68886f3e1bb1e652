import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import * as firstTables from "./migrations/0001-first-tables.ts";
import type { Schema } from "./schema.ts";
import { openSqlite } from "./sqlite.ts";
import { sqliteDialect } from "./sqlite-dialect.ts";

export type Db = Kysely<Schema>;

const MIGRATIONS: Record<string, Migration> = {
  "0001-first-tables": firstTables,
};

/** Names of all migrations that this version knows, oldest first. */
export const MIGRATION_NAMES = Object.keys(MIGRATIONS);

/**
 * Opens the database, makes it and its folder where they are missing (0600, 0700), and brings its tables up to date.
 * Throws `GatewayFailure` with what to do when the folder cannot be written or the database is of a newer version.
 */
export async function openDatabase(path: string): Promise<Db> {
  makeFolder(dirname(path));
  let db: Db;
  try {
    db = new Kysely<Schema>({ dialect: sqliteDialect(openSqlite(path, { create: true, busyTimeoutMs: 0 })) });
  } catch (thrown) {
    throw new GatewayFailure(
      gatewayError("storage_unavailable", `The database ${path} cannot be opened: ${textOf(thrown)}`),
      thrown,
    );
  }
  try {
    await migrate(db, path);
  } catch (thrown) {
    await db.destroy();
    throw thrown;
  }
  return db;
}

async function migrate(db: Db, path: string): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const unknown = await unknownMigrations(db);
  if (unknown.length > 0) {
    const text = `The database ${path} was made by a newer version of Parallama (it has ${unknown.join(", ")}). Use that version, or another database.`;
    throw new GatewayFailure(gatewayError("storage_unavailable", text));
  }
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  throw new GatewayFailure(
    gatewayError(
      "storage_unavailable",
      `The database ${path} cannot be brought up to date: ${textOf(error)}`,
    ),
    error,
  );
}

async function unknownMigrations(db: Db): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === "kysely_migration")) return [];
  const applied = await db
    .withTables<{ kysely_migration: { name: string } }>()
    .selectFrom("kysely_migration")
    .select("name")
    .execute();
  return applied.map((row) => row.name).filter((name) => !(name in MIGRATIONS));
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    const text = `The folder ${folder} cannot be made (user id ${process.getuid?.() ?? "?"}): ${textOf(thrown)}. Make it writable for this user, or choose another with --data-dir.`;
    throw new GatewayFailure(gatewayError("storage_unavailable", text), thrown);
  }
}

/** Whether others than the owner may enter a folder that holds keys and prompts' costs. */
export function isOpenToOthers(path: string): boolean {
  return (statSync(path).mode & 0o077) !== 0;
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
