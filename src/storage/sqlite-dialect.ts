import type { Database } from "bun:sqlite";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { isBusy, rowsOf } from "./sqlite.ts";

/** How long an administrative statement waits for its turn to write. */
const BUSY_LIMIT_MS = 10_000;
const BUSY_PAUSE_MS = 2;

/**
 * Kysely over `bun:sqlite`. One connection, used in turns. The journal writes the same file from a thread of its own, so
 * a statement may find it busy: it then waits without blocking the event loop, which a busy time-out would.
 */
export function sqliteDialect(database: Database): Dialect {
  return {
    createAdapter: () => new TransactionalAdapter(),
    createDriver: () => new SqliteDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** A migration is one transaction: one that fails, or is killed, leaves nothing that would stop the next start. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class SqliteDriver implements Driver {
  readonly #database: Database;
  readonly #connection: SqliteConnection;
  #turn: Promise<void> = Promise.resolve();
  #endTurn: () => void = () => {};

  constructor(database: Database) {
    this.#database = database;
    this.#connection = new SqliteConnection(database);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    this.#endTurn = resolve;
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#endTurn();
  }

  async beginTransaction(): Promise<void> {
    // Immediate: a transaction that starts by reading and then writes could otherwise fail half-way.
    await this.#connection.run("begin immediate", []);
  }

  async commitTransaction(): Promise<void> {
    await this.#connection.run("commit", []);
  }

  async rollbackTransaction(): Promise<void> {
    // A full disk rolls back by itself, and a second rollback would hide the first error.
    if (this.#database.inTransaction) await this.#connection.run("rollback", []);
  }

  async destroy(): Promise<void> {
    this.#database.close();
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes, lastInsertRowid } = await this.run(query.sql, query.parameters);
    return { rows: rows as Row[], numAffectedRows: BigInt(changes), insertId: lastInsertRowid };
  }

  // biome-ignore lint/correctness/useYield: the interface asks for a generator; nothing streams from SQLite here
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error("streaming queries are not supported with SQLite; page by key instead");
  }

  async run(statement: string, parameters: readonly unknown[]) {
    const giveUpAtMs = performance.now() + BUSY_LIMIT_MS;
    for (;;) {
      try {
        return rowsOf(this.#database, statement, parameters);
      } catch (thrown) {
        if (!isBusy(thrown) || performance.now() > giveUpAtMs) throw thrown;
        await Bun.sleep(BUSY_PAUSE_MS);
      }
    }
  }
}
