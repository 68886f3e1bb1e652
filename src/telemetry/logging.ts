import { join } from "node:path";
import {
  configure,
  dispose,
  getLogger,
  type Logger,
  type LogLevel,
  reset,
  type Sink,
} from "@logtape/logtape";
import { fileSink, jsonLine, stdoutSink, textLine } from "./log-sinks.ts";

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
  readonly access: Logger;
  /** A line for each settled inference; goes to `usage.log` only. */
  readonly usage: Logger;
  /** What happens to the program itself. */
  readonly program: Logger;
  /** Writes out what is gathered. */
  flush(): void;
  close(): Promise<void>;
}

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
  const withFile = (...names: string[]) => names.filter((name) => name in sinks);
  const { level } = options;
  await configure({
    sinks,
    loggers: [
      { category: ["parallama"], lowestLevel: level, sinks: [] },
      {
        category: ["parallama", "access"],
        lowestLevel: options.access ? level : "fatal",
        sinks: ["stdout", ...withFile("api")],
      },
      { category: ["parallama", "usage"], lowestLevel: "info", sinks: withFile("usage") },
      { category: ["parallama", "program"], lowestLevel: level, sinks: ["stdout"] },
      { category: ["parallama", "program", "error"], lowestLevel: "error", sinks: withFile("error") },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["stdout"] },
    ],
  });
  return {
    access: getLogger(["parallama", "access"]),
    usage: getLogger(["parallama", "usage"]),
    program: getLogger(["parallama", "program", "error"]),
    flush: () => stdout.flush(),
    async close() {
      stdout.flush();
      await dispose();
    },
  };
}
