/** A user, customer, tenant or team: one thing, an account. */
export interface Account {
  readonly id: number;
  readonly handle: string | null;
  readonly name: string | null;
  readonly email: string | null;
  readonly externalId: string | null;
  readonly parentId: number | null;
  readonly state: "active" | "closed";
  readonly createdAtMs: number;
}

export type KeyRole = "user" | "admin";
export type KeyState = "active" | "inactive" | "revoked";

/** A credential on an account. It may have several secrets (rotation adds one); this is what they all stand for. */
export interface Key {
  readonly id: number;
  readonly accountId: number;
  readonly name: string | null;
  readonly role: KeyRole;
  readonly state: KeyState;
  /** Public names of models; `null`: every model. */
  readonly allowedModels: readonly string[] | null;
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  readonly revokedAtMs: number | null;
}

/** Who calls: the account, and the key by which it came. */
export interface Principal {
  readonly accountId: number;
  readonly accountHandle: string | null;
  readonly keyId: number;
  readonly role: KeyRole;
  readonly allowedModels: ReadonlySet<string> | null;
}
