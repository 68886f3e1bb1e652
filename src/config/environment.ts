import type { DotEnv } from "./dot-env.ts";
import type { KeyPath } from "./key-path.ts";
import { nearest } from "./nearest.ts";

/** A variable that sets one key. */
export interface EnvironmentVariable {
  readonly name: string;
  /** `null`: it does not set a key, and says what it does itself. */
  readonly key: KeyPath | null;
  readonly description: string;
}

/** Every variable that is read, besides those that the configuration names in references. Earlier ones win. */
export const ENVIRONMENT_VARIABLES: readonly EnvironmentVariable[] = [
  { name: "PARALLAMA_CONFIG", key: null, description: "Path of the configuration file." },
  { name: "PARALLAMA_URL", key: null, description: "The server that commands ask (`--url`)." },
  { name: "PARALLAMA_ADMIN_KEY", key: null, description: "The administrator's key for `PARALLAMA_URL`." },
  { name: "PARALLAMA_HOST", key: ["server", "host"], description: "Address to bind." },
  { name: "PARALLAMA_PORT", key: ["server", "port"], description: "Port to bind." },
  { name: "PARALLAMA_DATA_DIR", key: ["data_dir"], description: "Directory of everything that is kept." },
  { name: "DATABASE_URL", key: ["database", "url"], description: "Database, as an address or a path." },
  { name: "LOG_LEVEL", key: ["logging", "level"], description: "Least important level that is logged." },
  { name: "OLLAMA_BASE_URL", key: ["ollama", "base_url"], description: "Address of Ollama." },
  {
    name: "OLLAMA_HOST",
    key: ["ollama", "base_url"],
    description: "The same, as Ollama's own programs read it, where `OLLAMA_BASE_URL` is not set.",
  },
  { name: "OPENAI_API_KEY", key: ["providers", "openai", "api_key"], description: "OpenAI's key." },
  { name: "OPENAI_BASE_URL", key: ["providers", "openai", "base_url"], description: "OpenAI's address." },
  { name: "ANTHROPIC_API_KEY", key: ["providers", "anthropic", "api_key"], description: "Anthropic's key." },
  {
    name: "ANTHROPIC_BASE_URL",
    key: ["providers", "anthropic", "base_url"],
    description: "Anthropic's address.",
  },
  { name: "ADMIN_API_KEY", key: ["admin", "api_key"], description: "The first administrator's key." },
  {
    name: "OMNIMEMORY_ADMIN_KEY",
    key: ["admin", "api_key"],
    description: "The same, where `ADMIN_API_KEY` is not set.",
  },
  { name: "HF_ENDPOINT", key: ["hub", "url"], description: "Where models are downloaded from." },
  { name: "HF_TOKEN", key: ["hub", "token"], description: "Token for downloads." },
];

/** The value of a variable, and where it was set, as errors and `config show` say it. */
export interface Variable {
  readonly value: string;
  readonly source: string;
}

/** Samples that documents and examples leave to be replaced. Empty text is one too. */
const PLACEHOLDER = /^(?:|<[^<>]*>|(?:[a-z]{2,8}[-_])?your_\w*(?:_here|_key|_token|_secret|_url))$/i;

/** True for a value that somebody was told to replace, such as `your_openai_key_here`. */
export function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value.trim());
}

/** The process's environment before the `.env` file. Placeholders count as unset. */
export class Environment {
  readonly #process: Readonly<Record<string, string | undefined>>;
  readonly #dotEnv: DotEnv;

  constructor(processEnv: Readonly<Record<string, string | undefined>>, dotEnv: DotEnv) {
    this.#process = processEnv;
    this.#dotEnv = dotEnv;
  }

  /** A variable that is set but empty in the process hides one of the same name in `.env`. */
  get(name: string): Variable | undefined {
    const fromProcess = Object.hasOwn(this.#process, name) ? this.#process[name] : undefined;
    if (fromProcess !== undefined && (fromProcess === "" || !isPlaceholder(fromProcess))) {
      return fromProcess === "" ? undefined : { value: fromProcess, source: `env ${name}` };
    }
    const fromFile = this.#dotEnv.variables.get(name);
    if (fromFile === undefined || isPlaceholder(fromFile.value)) return undefined;
    return { value: fromFile.value, source: `.env:${fromFile.line} ${name}` };
  }

  /** Variables that look like ours and are not, with the one that was probably meant. */
  unknownNames(): { name: string; source: string; suggestion: string | undefined }[] {
    const known = ENVIRONMENT_VARIABLES.map((variable) => variable.name);
    const inProcess = Object.keys(this.#process).map((name) => ({ name, source: `env ${name}` }));
    const inFile = [...this.#dotEnv.variables].map(([name, { line }]) => ({
      name,
      source: `.env:${line} ${name}`,
    }));
    return [...inProcess, ...inFile]
      .filter(({ name }) => name.startsWith("PARALLAMA_") && !known.includes(name))
      .map(({ name, source }) => ({ name, source, suggestion: nearest(name, known) }));
  }
}
