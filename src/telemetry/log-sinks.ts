import { getRotatingFileSink } from "@logtape/file";
import type { LogRecord, Sink } from "@logtape/logtape";

/** Lines that wait for a slow reader of standard output; beyond it they are dropped and counted. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;
const FLUSH_MS = 50;

/** One JSON object a line: time, level, event, and the event's own fields. */
export function jsonLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString();
  const head = `{"time":"${time}","level":"${record.level}","event":${JSON.stringify(eventOf(record))}`;
  const fields = JSON.stringify(record.properties);
  return fields === "{}" ? `${head}}\n` : `${head},${fields.slice(1)}\n`;
}

/** For a person at a terminal: time, event, and the fields as `name=value`. */
export function textLine(record: LogRecord): string {
  const time = new Date(record.timestamp).toISOString().slice(11, 23);
  const level = record.level === "info" ? "" : ` ${record.level.toUpperCase()}`;
  let line = `${time}${level} ${eventOf(record)}`;
  for (const [name, value] of Object.entries(record.properties)) {
    if (value !== null && value !== undefined && value !== "") line += ` ${name}=${printable(value)}`;
  }
  return `${line}\n`;
}

/** A sink that gathers lines and writes them together, so that a line costs no system call of its own. */
export function stdoutSink(
  write: (text: string, written: () => void) => void,
  format: (record: LogRecord) => string,
): Sink & { flush(): void } {
  let lines = "";
  let pendingBytes = 0;
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = () => {
    timer = undefined;
    if (lines === "") return;
    const text =
      dropped === 0 ? lines : `${lines}{"level":"warning","event":"log.dropped","lines":${dropped}}\n`;
    lines = "";
    dropped = 0;
    pendingBytes += text.length;
    write(text, () => {
      pendingBytes -= text.length;
    });
  };
  const sink = (record: LogRecord) => {
    if (pendingBytes + lines.length > MAX_PENDING_BYTES) {
      dropped++;
      return;
    }
    lines += format(record);
    if (timer === undefined) timer = setTimeout(flush, FLUSH_MS);
  };
  return Object.assign(sink, { flush });
}

/** A log whose every line goes to the same sinks. */
export interface DirectLog {
  /** False: nobody reads it, so its fields need not even be put together. */
  readonly enabled: boolean;
  info(event: string, properties: Record<string, unknown>): void;
}

/**
 * Writes records to their sinks without LogTape's dispatch, which costs several times what the line itself does; for the
 * two logs that get a line with every request.
 */
export function directLog(category: string, sinks: readonly Sink[]): DirectLog {
  return {
    enabled: sinks.length > 0,
    info(event, properties) {
      const record: LogRecord = {
        category: ["parallama", category],
        level: "info",
        message: [event],
        rawMessage: event,
        timestamp: Date.now(),
        properties,
      };
      for (const sink of sinks) sink(record);
    },
  };
}

/** A log file that is rotated by size: `api.log`, `api.log.1`, ... */
export function fileSink(path: string, maxBytes: number, backupCount: number) {
  const options = {
    maxSize: maxBytes,
    maxFiles: backupCount + 1,
    bufferSize: 16 * 1024,
    flushInterval: 1_000,
  };
  return getRotatingFileSink(path, { ...options, formatter: jsonLine });
}

function eventOf(record: LogRecord): string {
  return typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
}

function printable(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /[\s"]/.test(text) ? JSON.stringify(text) : text;
}
