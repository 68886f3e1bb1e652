import { type Kysely, sql } from "kysely";

const STATEMENTS = [
  `create table accounts (
    id integer primary key,
    handle text unique,
    external_id text unique,
    email text unique,
    name text,
    parent_id integer references accounts (id),
    state text not null check (state in ('active', 'closed')),
    created_at_ms integer not null,
    closed_at_ms integer
  ) strict`,
  `create table keys (
    id integer primary key,
    account_id integer not null references accounts (id),
    name text,
    role text not null check (role in ('user', 'admin')),
    state text not null check (state in ('active', 'inactive', 'revoked')),
    allowed_models text,
    expires_at_ms integer,
    created_at_ms integer not null,
    revoked_at_ms integer
  ) strict`,
  "create index keys_by_account on keys (account_id)",
  `create table key_secrets (
    hash text primary key,
    key_id integer not null references keys (id),
    prefix text not null,
    last4 text not null,
    valid_until_ms integer,
    created_at_ms integer not null
  ) strict, without rowid`,
  "create index key_secrets_by_key on key_secrets (key_id)",
  // Never the id of a model that was removed: somebody may still mean that one.
  `create table models (
    id integer primary key autoincrement,
    name text not null unique,
    aliases text not null,
    targets text not null,
    state text not null check (state in ('active', 'inactive')),
    origin text not null,
    created_at_ms integer not null
  ) strict`,
  `create table prices (
    id integer primary key,
    model text not null,
    provider text,
    effective_from_ms integer not null,
    per_request_nano_usd integer not null,
    input_nano_usd_per_million integer not null,
    output_nano_usd_per_million integer not null,
    cache_read_nano_usd_per_million integer,
    cache_write_nano_usd_per_million integer,
    reasoning_nano_usd_per_million integer,
    source text not null,
    created_at_ms integer not null
  ) strict`,
  "create index prices_by_model on prices (model, effective_from_ms)",
  // No foreign keys on the two journal tables: a row of what has happened is written whatever became of the rest.
  `create table requests (
    id text primary key,
    started_at_ms integer not null,
    account_id integer not null,
    key_id integer not null,
    protocol text not null,
    requested_model text,
    model text,
    provider text,
    stream integer not null,
    status integer not null,
    error text,
    input_tokens integer,
    cache_read_tokens integer,
    cache_write_tokens integer,
    output_tokens integer,
    reasoning_tokens integer,
    usage_source text,
    price_id integer,
    cost_nano_usd integer not null,
    latency_ms integer not null,
    first_byte_ms integer,
    request_bytes integer not null,
    response_bytes integer not null
  ) strict, without rowid`,
  "create index requests_by_account on requests (account_id, started_at_ms)",
  "create index requests_by_key on requests (key_id, started_at_ms)",
  `create table attempts (
    request_id text not null,
    number integer not null,
    provider text not null,
    provider_model text not null,
    provider_request_id text,
    status integer,
    error text,
    started_at_ms integer not null,
    latency_ms integer not null,
    input_tokens integer,
    cache_read_tokens integer,
    cache_write_tokens integer,
    output_tokens integer,
    reasoning_tokens integer,
    usage_source text,
    cost_nano_usd integer not null,
    primary key (request_id, number)
  ) strict, without rowid`,
  `create table audit (
    id integer primary key,
    at_ms integer not null,
    actor text not null,
    operation text not null,
    target text not null,
    detail text not null
  ) strict`,
  "create table settings (name text primary key, value text not null) strict, without rowid",
] as const;

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
}
