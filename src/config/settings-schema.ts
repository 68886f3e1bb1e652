import { z } from "zod";
import * as kinds from "./key-kinds.ts";
import {
  groupMeta,
  keyMetas,
  leaf,
  list,
  optional,
  optionalList,
  required,
  withDefault,
} from "./key-meta.ts";

const MIB = 1024 * 1024;

const server = z
  .strictObject({
    host: optional(kinds.host, {
      description: "Address to bind.",
      defaultText: "0.0.0.0; 127.0.0.1 with --dev",
      needsRestart: true,
    }),
    port: withDefault(kinds.integer(0, 65_535), 8000, {
      description: "Port to bind; 0 lets the system choose.",
      needsRestart: true,
    }),
    listen: optionalList(kinds.listenAddress, {
      description: "Further addresses that serve the same application.",
      defaultText: '[]; ["127.0.0.1:8001"] with --dev, where a busy port is only a warning',
      needsRestart: true,
    }),
    workers: withDefault(kinds.integer(1, 256), 1, {
      description:
        "Processes that accept requests. More than 1 needs PostgreSQL and Redis, which come in a later version.",
      needsRestart: true,
    }),
    max_body_bytes: withDefault(kinds.size(1024, 1024 * MIB), "32MiB", {
      description: "Largest body of an inference request. A larger one is refused with 413.",
      needsRestart: true,
    }),
    max_held_body_bytes: withDefault(kinds.size(1024), "256MiB", {
      description:
        "Bodies of all requests held in memory at once. Over it, requests are answered 503 with Retry-After.",
      needsRestart: true,
    }),
    max_json_depth: withDefault(kinds.integer(8, 10_000), 128, {
      description: "Deepest nesting of a JSON body.",
      needsRestart: true,
    }),
    max_concurrent_requests: withDefault(kinds.integer(1, 1_000_000), 4096, {
      description:
        "Inference requests in progress at once. Over it, requests are answered 503 with Retry-After.",
      needsRestart: true,
    }),
    drain_timeout: withDefault(kinds.duration(0), "30s", {
      description:
        "How long SIGTERM waits for requests in progress before they are ended with an error. They have 2 s to end.",
    }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "The listener and its bounds."));

const database = z
  .strictObject({
    path: optional(kinds.path, {
      description: "SQLite file. Give this or `url`.",
      defaultText: "<data_dir>/parallama.db",
      needsRestart: true,
    }),
    url: optional(kinds.databaseUrl, {
      description:
        "The same as an address: `sqlite:///relative`, `sqlite:////absolute`, `file:...` or a bare path. PostgreSQL is not supported yet.",
      needsRestart: true,
    }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "Where accounts, keys, limits and the ledger are kept."));

const timeouts = z
  .strictObject({
    connect: withDefault(kinds.duration(1), "10s", { description: "Until the connection stands." }),
    first_byte: withDefault(kinds.duration(1), "300s", {
      description:
        "From the request sent until the first byte of the answer. A model that has to be loaded first needs long.",
    }),
    idle: withDefault(kinds.duration(1), "120s", { description: "Between two chunks of an answer." }),
    total: withDefault(kinds.duration(1), "3600s", { description: "The whole request." }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "When to give up on this provider."));

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "not a header's name");

const provider = z
  .strictObject({
    type: optional(kinds.providerType, {
      description: "What the provider speaks. A built-in provider's name implies it.",
      defaultText: "required, save for built-in names",
    }),
    base_url: optional(kinds.providerUrl, {
      description:
        "Address, up to where the API's own paths begin (for OpenAI's, with `/v1`). http or https, without credentials or query.",
      defaultText:
        "https://api.openai.com/v1 for `openai`, https://api.anthropic.com for type anthropic, that of `ollama` below for `ollama`; otherwise required",
    }),
    api_key: optional(kinds.secret, {
      description: `The provider's key: a reference \`\${NAME}\` to the environment or \`.env\`. A key in clear works, with a warning.`,
    }),
    headers: z
      .record(headerName, leaf(kinds.secret))
      .prefault({})
      .register(keyMetas, {
        ...groupMeta(
          "mapping of header to text",
          `Extra headers of every request to it. Values may hold \`\${NAME}\` and are never shown.`,
        ),
        default: "{}",
      }),
    billing: optional(kinds.billing, {
      description:
        "Whether its models cost money. On a paid provider, a model without a price follows `pricing.unpriced`.",
      defaultText: "paid for openai-compatible and anthropic, free for ollama and local",
    }),
    timeouts,
    models: optionalList(kinds.name, {
      description: "The only models it serves, by its own names.",
      defaultText: "whatever it offers",
    }),
  })
  .prefault({})
  .register(
    keyMetas,
    groupMeta("group", "One provider. Its name stands before the slash in `provider/model`."),
  );

const providerNameKey = z
  .string()
  .regex(kinds.PROVIDER_NAME, "a provider's name consists of letters, digits, - and _");

/** `provider/model` becomes `{provider, model}`; only the first slash divides, since models have slashes too. */
function expandTarget(raw: unknown): unknown {
  if (typeof raw !== "string") return raw;
  const slash = raw.indexOf("/");
  if (slash <= 0 || slash === raw.length - 1) return raw;
  return { provider: raw.slice(0, slash), model: raw.slice(slash + 1) };
}

const target = z
  .preprocess(
    expandTarget,
    z.strictObject({
      provider: required(kinds.providerName, { description: "Name of a provider." }),
      model: required(kinds.name, {
        description:
          "The provider's own name of the model; for `local`, a GGUF file or `hf:owner/repo:quant`.",
      }),
    }),
  )
  // A place in the list may be empty once what stood there was refused, and the others must keep their numbers.
  .optional()
  .register(keyMetas, groupMeta('"provider/model" or group', "Where the model runs."));

const modelShorthand = z
  .strictObject({
    model_path: optional(kinds.name, {
      description:
        "Run it on this machine: a GGUF file (relative to `local.models_dir`) or `hf:owner/repo:quant`.",
    }),
    api_url: optional(kinds.apiUrl, {
      description:
        "Call it at this OpenAI-compatible address. The path of an endpoint (`/completions` and the like) is cut off.",
    }),
    api_key: optional(kinds.secret, { description: "Key for `api_url`, as `providers.<name>.api_key`." }),
    model_name: optional(kinds.name, {
      description: "What the server at `api_url` calls the model.",
      defaultText: "the model's `name`",
    }),
    preload: withDefault(kinds.boolean, false, {
      description: "Load it at startup, in the background.",
      needsRestart: true,
    }),
  })
  .register(
    keyMetas,
    groupMeta("group", "Instead of `targets`: a local model by `model_path`, or a remote one by `api_url`."),
  );

const model = z
  .strictObject({
    name: required(kinds.name, { description: "What callers ask for. Unique among names and aliases." }),
    id: optional(kinds.integer(1, 2_147_483_647), {
      description: "The number by which the model registry's routes name it.",
      defaultText: "chosen by the registry",
    }),
    aliases: list(kinds.name, { description: "Further names of the same model." }),
    targets: z
      .array(target)
      .optional()
      .register(
        keyMetas,
        groupMeta(
          "list",
          "Where the model runs, in order of preference: the first that speaks the caller's protocol serves it. Trying the next when one fails comes in a later version.",
        ),
      ),
    config: modelShorthand
      .optional()
      .register(
        keyMetas,
        groupMeta(
          "group",
          "Instead of `targets`: a local model by `model_path`, or a remote one by `api_url`.",
        ),
      ),
    active: withDefault(kinds.boolean, true, {
      description: "False: known to administrators, refused to callers.",
    }),
  })
  .optional()
  .register(keyMetas, groupMeta("group", "One model."));

const ollama = z
  .strictObject({
    base_url: optional(kinds.ollamaUrl, {
      description:
        "Address of the built-in provider `ollama`. Give this or `host` and `port`. `localhost:11434` is understood.",
      defaultText: "http://localhost:11434",
    }),
    host: optional(kinds.host, { description: "Its host, reached by http.", defaultText: "localhost" }),
    port: optional(kinds.integer(1, 65_535), { description: "Its port.", defaultText: "11434" }),
    default_stream: withDefault(kinds.boolean, true, {
      description: "What `stream` is on Ollama's own routes when a request does not say.",
      needsRestart: true,
    }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "The Ollama server that is used without further configuration."));

const local = z
  .strictObject({
    models_dir: optional(kinds.path, {
      description: "Where model files are found and downloaded to.",
      defaultText: "<data_dir>/models",
      needsRestart: true,
    }),
    threads: withDefault(kinds.threads, "auto", {
      description: "Threads of the model process. `auto`: one less than the machine has cores.",
      needsRestart: true,
    }),
    gpu: withDefault(kinds.gpu, false, {
      description: "What computes: the processor (`false`), or a kind of GPU.",
      needsRestart: true,
    }),
    slots: withDefault(kinds.integer(1, 256), 4, {
      description: "Requests that one loaded model works on at once.",
      needsRestart: true,
    }),
    context_tokens: optional(kinds.integer(128, 10_000_000, "tokens"), {
      description: "Context of each slot.",
      defaultText: "what the model was trained with, at most 4096",
      needsRestart: true,
    }),
    max_loaded_models: withDefault(kinds.integer(1, 64), 2, {
      description: "Models in memory at once. The one unused longest makes room.",
      needsRestart: true,
    }),
    preload: list(kinds.name, {
      description: "Models to load at startup, besides those with `preload: true`.",
      needsRestart: true,
    }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "Models run on this machine."));

const pricing = z
  .strictObject({
    unpriced: withDefault(kinds.unpriced, "refuse", {
      description:
        "What a request costs when a paid provider's model has no price: it is refused, free, or a flat amount.",
    }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "What things cost when nobody said."));

const logging = z
  .strictObject({
    level: withDefault(kinds.logLevel, "info", { description: "The least important level that is written." }),
    format: withDefault(kinds.logFormat, "auto", {
      description: "`auto`: text on a terminal, JSON lines elsewhere.",
    }),
    dir: optional(kinds.path, {
      description: "Directory of `api.log`, `usage.log` and `error.log`.",
      defaultText: "/var/log/parallama where it exists and is writable, otherwise standard output only",
    }),
    max_size: withDefault(kinds.size(4096), "100M", {
      description: "A file is rotated when it grows beyond this.",
    }),
    backup_count: withDefault(kinds.integer(0, 1000), 10, { description: "Rotated files kept of each log." }),
    access: withDefault(kinds.boolean, true, { description: "Write a line for every request." }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "What is written down about running, besides the ledger."));

const hub = z
  .strictObject({
    url: withDefault(kinds.baseUrl, "https://huggingface.co", {
      description: "Where `hf:` references are downloaded from.",
    }),
    token: optional(kinds.secret, { description: `Token for models that need one. Best as \`\${NAME}\`.` }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "Where models come from."));

const admin = z
  .strictObject({
    api_key: optional(kinds.secret, {
      description: `The first administrator's key, for a server without any. At least 24 characters, save with --dev. Best as \`\${NAME}\`.`,
    }),
  })
  .prefault({})
  .register(keyMetas, groupMeta("group", "Access of administrators."));

/** The configuration as it is written: the one place where keys, types, bounds and defaults are declared. */
export const settingsSchema = z.strictObject({
  data_dir: withDefault(kinds.path, "./data", {
    description:
      "Database, models and the command socket live here unless moved. Relative paths, here and below, start at the working directory.",
    needsRestart: true,
  }),
  server,
  database,
  providers: z
    .record(providerNameKey, provider)
    .prefault({})
    .register(
      keyMetas,
      groupMeta(
        "mapping of name to group",
        "Providers besides, or instead of, the built-in `ollama`, `openai`, `anthropic` and `local`.",
      ),
    ),
  ollama,
  models: z
    .array(model)
    .prefault([])
    .register(
      keyMetas,
      groupMeta(
        "list",
        "Models with names of their own. Every provider's models are reachable as `provider/model` without this.",
      ),
    ),
  local,
  pricing,
  logging,
  hub,
  admin,
});

/** What the schema gives: snake_case, every static default filled in. */
export type Settings = z.output<typeof settingsSchema>;
export type ProviderSettings = Settings["providers"][string];
export type ModelSettings = NonNullable<Settings["models"][number]>;
