import { join } from "node:path";
import {
  configure,
  dispose,
  getLogger,
  type Logger,
  type LogLevel,
  reset,
  type Sink,
  withFilter,
} from "@logtape/logtape";
import { type DirectLog, directLog, fileSink, jsonLine, stdoutSink, textLine } from "./log-sinks.ts";

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

/**
 * Sets logging up. Called again on SIGHUP: the files are opened anew, so that a log rotated by somebody else is let go.
 */
export async function openLogging(options: LoggingOptions): Promise<Loggers> {
  await reset();
  const format = options.format === "json" ? jsonLine : textLine;
  const stdout = stdoutSink(options.write, format);
  const files = options.dir === null ? [] : (["api", "usage", "error"] as const);
  const sinks: Record<string, Sink> = { stdout };
  for (const name of files) {
    sinks[name] = fileSink(join(options.dir ?? "", `${name}.log`), options.maxBytes, options.backupCount);
  }
  if (sinks["error"] !== undefined) sinks["error"] = withFilter(sinks["error"], "error");
  const withFile = (...names: string[]) => names.filter((name) => name in sinks);
  const sinksOf = (name: string) => (sinks[name] === undefined ? [] : [sinks[name]]);
  const { level } = options;
  await configure({
    sinks,
    loggers: [
      { category: ["parallama"], lowestLevel: level, sinks: [] },
      { category: ["parallama", "program"], lowestLevel: level, sinks: ["stdout", ...withFile("error")] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stdout"] },
    ],
  });
  return {
    access: directLog("access", options.access && INFO_SHOWN.has(level) ? [stdout, ...sinksOf("api")] : []),
    usage: directLog("usage", sinksOf("usage")),
    program: getLogger(["parallama", "program"]),
    flush: () => stdout.flush(),
    async close() {
      stdout.flush();
      await dispose();
    },
  };
}
