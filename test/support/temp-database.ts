import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Db, openDatabase } from "../../src/storage/database.ts";

/** A database of the product in a folder of its own, and a second connection that sees only what is committed. */
export interface TempDatabase extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
  readonly db: Db;
  readonly other: Database;
}

export async function tempDatabase(): Promise<TempDatabase> {
  const folder = mkdtempSync(join(tmpdir(), "parallama-db-"));
  const path = join(folder, "parallama.db");
  const db = await openDatabase(path);
  const other = new Database(path, { readwrite: true, safeIntegers: true });
  other.run("pragma busy_timeout = 10000");
  return {
    folder,
    path,
    db,
    other,
    async [Symbol.asyncDispose]() {
      other.close();
      await db.destroy();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
