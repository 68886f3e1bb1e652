import type { Generated } from "kysely";

/** The tables, as queries see them. Times are UTC milliseconds since 1970; money is integer nano-USD, read as bigint. */
export interface Schema {
  accounts: AccountsTable;
  keys: KeysTable;
  key_secrets: KeySecretsTable;
  models: ModelsTable;
  prices: PricesTable;
  requests: RequestsTable;
  attempts: AttemptsTable;
  audit: AuditTable;
  settings: SettingsTable;
}

export interface AccountsTable {
  id: Generated<number>;
  handle: string | null;
  external_id: string | null;
  email: string | null;
  name: string | null;
  parent_id: number | null;
  state: "active" | "closed";
  created_at_ms: number;
  closed_at_ms: number | null;
}

export interface KeysTable {
  id: Generated<number>;
  account_id: number;
  name: string | null;
  role: "user" | "admin";
  state: "active" | "inactive" | "revoked";
  /** JSON list of public model names; null: every model. */
  allowed_models: string | null;
  expires_at_ms: number | null;
  created_at_ms: number;
  revoked_at_ms: number | null;
}

/** What is presented. Only the digest is kept; a key has one, and more while it is rotated. */
export interface KeySecretsTable {
  /** SHA-256 of the whole secret, 64 hex digits. */
  hash: string;
  key_id: number;
  prefix: string;
  last4: string;
  valid_until_ms: number | null;
  created_at_ms: number;
}

export interface ModelsTable {
  id: Generated<number>;
  name: string;
  /** JSON list. */
  aliases: string;
  /** JSON list of {provider, model}, best first. */
  targets: string;
  state: "active" | "inactive";
  /** Where the row comes from: "seed", "pull", "add". */
  origin: string;
  created_at_ms: number;
}

export interface PricesTable {
  id: Generated<number>;
  model: string;
  provider: string | null;
  effective_from_ms: number;
  per_request_nano_usd: bigint;
  input_nano_usd_per_million: bigint;
  output_nano_usd_per_million: bigint;
  cache_read_nano_usd_per_million: bigint | null;
  cache_write_nano_usd_per_million: bigint | null;
  reasoning_nano_usd_per_million: bigint | null;
  source: string;
  created_at_ms: number;
}

export interface RequestsTable {
  id: string;
  started_at_ms: number;
  account_id: number;
  key_id: number;
  protocol: string;
  requested_model: string | null;
  model: string | null;
  provider: string | null;
  stream: number;
  status: number;
  error: string | null;
  input_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  usage_source: string | null;
  price_id: number | null;
  cost_nano_usd: bigint;
  latency_ms: number;
  first_byte_ms: number | null;
  request_bytes: number;
  response_bytes: number;
}

export interface AttemptsTable {
  request_id: string;
  number: number;
  provider: string;
  provider_model: string;
  provider_request_id: string | null;
  status: number | null;
  error: string | null;
  started_at_ms: number;
  latency_ms: number;
  input_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
  usage_source: string | null;
  cost_nano_usd: bigint;
}

export interface AuditTable {
  id: Generated<number>;
  at_ms: number;
  /** Who did it: "key:<id>", "local" (command line, by file permission), "start" (the program itself). */
  actor: string;
  operation: string;
  /** What it was done to: "account:3", "key:7", "model:gpt2". */
  target: string;
  /** The operation's input, secrets never among it. */
  detail: string;
}

export interface SettingsTable {
  name: string;
  value: string;
}
