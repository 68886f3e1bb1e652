import { Database } from "bun:sqlite";
import { chmodSync, existsSync } from "node:fs";
import { isBusy } from "./sqlite.ts";

/** Held by whoever uses a database: the server, or a command while no server runs. */
export interface DatabaseLock {
  release(): void;
}

/** A connection that nobody refers to is closed by the garbage collector, which would give the lock away. */
const held = new Set<Database>();

/**
 * Takes the lock of a database file, or gives `undefined` when another process holds it. The lock is an SQLite lock on a
 * file of its own, because the operating system takes it back when its holder dies, however it dies.
 */
export function takeLock(databasePath: string): DatabaseLock | undefined {
  const path = `${databasePath}.lock`;
  const isNew = !existsSync(path);
  const database = new Database(path, { readwrite: true, create: true });
  if (isNew) chmodSync(path, 0o600);
  try {
    database.run("pragma busy_timeout = 0");
    database.run("pragma journal_mode = delete");
    database.run("begin exclusive");
  } catch (thrown) {
    database.close();
    if (isBusy(thrown)) return undefined;
    throw thrown;
  }
  held.add(database);
  return {
    release() {
      held.delete(database);
      database.close();
    },
  };
}
