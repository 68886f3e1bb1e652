import type { KeyPath } from "./key-path.ts";

/** What the command line may set. Absent or `undefined`: not given. */
export interface ConfigFlags {
  /** Path of the configuration file. */
  readonly config?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: string | number | undefined;
  readonly listen?: readonly string[] | undefined;
  readonly dataDir?: string | undefined;
  /** A path or an address. */
  readonly db?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
}

export interface ConfigFlag {
  readonly name: keyof ConfigFlags;
  readonly flag: string;
  /** `null`: it does not set a key. */
  readonly key: KeyPath | null;
}

export const CONFIG_FLAGS: readonly ConfigFlag[] = [
  { name: "config", flag: "--config", key: null },
  { name: "host", flag: "--host", key: ["server", "host"] },
  { name: "port", flag: "--port", key: ["server", "port"] },
  { name: "listen", flag: "--listen", key: ["server", "listen"] },
  { name: "dataDir", flag: "--data-dir", key: ["data_dir"] },
  { name: "db", flag: "--db", key: ["database", "url"] },
  { name: "logLevel", flag: "--log-level", key: ["logging", "level"] },
  { name: "logFormat", flag: "--log-format", key: ["logging", "format"] },
];
