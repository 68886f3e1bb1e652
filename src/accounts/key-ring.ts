import type { Clock } from "../core/clock.ts";
import { gatewayError } from "../core/error.ts";
import type { Key, Principal } from "../core/principal.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { Keys } from "../engine/ports.ts";
import type { Db } from "../storage/database.ts";
import { hashSecret, isMistyped } from "./key-format.ts";
import { keyOf } from "./keys.ts";

interface Entry {
  readonly key: Key;
  readonly validUntilMs: number | null;
  readonly result: Result<Principal>;
}

const INVALID = refuse(gatewayError("invalid_credentials", "Invalid API key"));
const MAX_SECRET_LENGTH = 512;

/**
 * All keys in memory, by digest, so that authenticating is one digest and one look-up. The process that runs the server
 * is the only one that changes the database, and reloads the ring after each change.
 */
export class KeyRing implements Keys {
  readonly #clock: Clock;
  /** Resolves a public model name or alias to its canonical name, for lists of allowed models. */
  readonly #canonical: (model: string) => string;
  #entries = new Map<string, Entry>();
  #bootstrap: { readonly hash: string; readonly result: Result<Principal> } | undefined;

  constructor(clock: Clock, canonical: (model: string) => string) {
    this.#clock = clock;
    this.#canonical = canonical;
  }

  /** Sets the administrator's secret that comes from the environment; it has no row, so no key id. */
  setBootstrap(bootstrap: { secret: string; accountId: number } | undefined): void {
    this.#bootstrap = undefined;
    if (bootstrap === undefined) return;
    const { secret, accountId } = bootstrap;
    const principal: Principal = {
      accountId,
      accountHandle: null,
      keyId: 0,
      role: "admin",
      allowedModels: null,
    };
    this.#bootstrap = { hash: hashSecret(secret), result: ok(principal) };
  }

  authenticate(secret: string): Result<Principal> {
    if (secret === "" || secret.length > MAX_SECRET_LENGTH || isMistyped(secret)) return INVALID;
    const hash = hashSecret(secret);
    // Digests are compared, so how long the comparison takes tells nothing about the secret.
    if (this.#bootstrap?.hash === hash) return this.#bootstrap.result;
    const entry = this.#entries.get(hash);
    if (entry === undefined || entry.key.state !== "active") return INVALID;
    const { expiresAtMs } = entry.key;
    if (expiresAtMs !== null || entry.validUntilMs !== null) {
      const nowMs = this.#clock.now();
      if (expiresAtMs !== null && expiresAtMs <= nowMs) return INVALID;
      if (entry.validUntilMs !== null && entry.validUntilMs <= nowMs) return INVALID;
    }
    return entry.result;
  }

  /** Reads every key again. */
  async reload(db: Db): Promise<void> {
    const rows = await db
      .selectFrom("key_secrets")
      .innerJoin("keys", "keys.id", "key_secrets.key_id")
      .innerJoin("accounts", "accounts.id", "keys.account_id")
      .selectAll("keys")
      .select(["key_secrets.hash", "key_secrets.valid_until_ms", "accounts.handle"])
      .where("accounts.state", "=", "active")
      .where("keys.state", "!=", "revoked")
      .execute();
    const entries = new Map<string, Entry>();
    for (const row of rows) {
      const key = keyOf(row);
      const result = ok(this.#principalOf(key, row.handle));
      entries.set(row.hash, { key, validUntilMs: row.valid_until_ms, result });
    }
    this.#entries = entries;
  }

  #principalOf(key: Key, handle: string | null): Principal {
    const allowed = key.allowedModels?.map((model) => this.#canonical(model));
    return {
      accountId: key.accountId,
      accountHandle: handle,
      keyId: key.id,
      role: key.role,
      // An empty list means the same as none: every model. To shut a key off, deactivate it.
      allowedModels: allowed === undefined || allowed.length === 0 ? null : new Set(allowed),
    };
  }
}
