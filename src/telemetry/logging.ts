import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  configureSync,
  getLogger,
  type Logger,
  type LogLevel,
  type Sink,
  withFilter,
} from "@logtape/logtape";
import { GatewayFailure, gatewayError } from "../core/error.ts";
import { LogFile } from "./log-file.ts";
import {
  type DirectLog,
  directLog,
  dropReport,
  jsonLine,
  recordOf,
  stdoutSink,
  textLine,
} from "./log-sinks.ts";

export interface LoggingOptions {
  readonly level: LogLevel;
  readonly format: "json" | "text";
  /** Folder of `api.log`, `usage.log` and `error.log`; null: standard output only. */
  readonly dir: string | null;
  readonly maxBytes: number;
  readonly backupCount: number;
  readonly access: boolean;
  readonly write: (text: string, written: () => void) => void;
}

/** The loggers of the program, by what their lines are for. */
export interface Loggers {
  /** A line for each HTTP request. */
  readonly access: DirectLog;
  /** A line for each settled inference; goes to `usage.log` only. */
  readonly usage: DirectLog;
  /** What happens to the program itself. */
  readonly program: Logger;
  /** Writes out what is gathered. */
  flush(): void;
  close(): Promise<void>;
}

/** Levels at which a line of level info is shown. */
const INFO_SHOWN: ReadonlySet<LogLevel> = new Set(["trace", "debug", "info"]);

const FILES = ["api", "usage", "error"] as const;
type Files = Partial<Record<(typeof FILES)[number], LogFile>>;

/** The files of the logging that is set up now. */
let current: Files = {};
process.on("exit", () => closeFiles(current));

/**
 * Sets logging up. Called again on SIGHUP: the files are opened anew, so that a log rotated by somebody else is let go.
 * Throws `GatewayFailure` when a file cannot be opened; logging then stays as it was.
 */
export async function openLogging(options: LoggingOptions): Promise<Loggers> {
  const stdout = stdoutSink(options.write, options.format === "json" ? jsonLine : textLine);
  const files = openFiles(options, stdout);
  const sinksOf = (name: keyof Files) => (files[name] === undefined ? [] : [files[name].sink]);
  const { level } = options;
  // LogTape disposes of none of these sinks, so the switch happens at once and no line falls between.
  configureSync({
    reset: true,
    sinks: { stdout, error: withFilter(files.error?.sink ?? (() => {}), "error") },
    loggers: [
      { category: ["parallama"], lowestLevel: level, sinks: [] },
      { category: ["parallama", "program"], lowestLevel: level, sinks: ["stdout", "error"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stdout"] },
    ],
  });
  closeFiles(current);
  current = files;
  return {
    access: directLog("access", options.access && INFO_SHOWN.has(level) ? [stdout, ...sinksOf("api")] : []),
    usage: directLog("usage", sinksOf("usage")),
    program: getLogger(["parallama", "program"]),
    flush: () => stdout.flush(),
    async close() {
      closeFiles(files);
      stdout.flush();
    },
  };
}

function openFiles({ dir, maxBytes, backupCount }: LoggingOptions, stdout: Sink): Files {
  if (dir === null) return {};
  const files: Files = {};
  let path = dir;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (const name of FILES) {
      path = join(dir, `${name}.log`);
      const dropped = dropReport((lines) =>
        stdout(recordOf("program", "warning", "log.dropped", { file: `${name}.log`, lines })),
      );
      files[name] = new LogFile(path, { maxBytes, backupCount, dropped });
    }
    return files;
  } catch (thrown) {
    closeFiles(files);
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    const text = `The log ${path} cannot be written (user id ${process.getuid?.() ?? "?"}): ${reason}. Make it writable for this user, or choose another folder with logging.dir.`;
    throw new GatewayFailure(gatewayError("storage_unavailable", text), thrown);
  }
}

function closeFiles(files: Files): void {
  for (const file of Object.values(files)) file.close();
}
