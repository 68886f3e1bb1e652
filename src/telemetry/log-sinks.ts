import type { LogLevel, LogRecord, Sink } from "@logtape/logtape";

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
    const written = () => {
      pendingBytes -= text.length;
    };
    try {
      write(text, written);
    } catch {
      written(); // Nobody is left to tell.
    }
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
      const record = recordOf(category, "info", event, properties);
      for (const sink of sinks) {
        try {
          sink(record);
        } catch {
          // The request that the line is about goes on.
        }
      }
    },
  };
}

/** Says that lines were dropped: at once, then once a pause, each time how many since. */
export function dropReport(say: (lines: number) => void, pauseMs = 60_000): (lines: number) => void {
  let dropped = 0;
  let pause: ReturnType<typeof setTimeout> | undefined;
  const report = () => {
    pause = undefined;
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    pause = setTimeout(report, pauseMs);
    pause.unref();
    say(lines);
  };
  return (lines) => {
    dropped += lines;
    if (pause === undefined) report();
  };
}

/** A record that no logger made. */
export function recordOf(
  category: string,
  level: LogLevel,
  event: string,
  properties: Record<string, unknown>,
): LogRecord {
  return {
    category: ["parallama", category],
    level,
    message: [event],
    rawMessage: event,
    timestamp: Date.now(),
    properties,
  };
}

function eventOf(record: LogRecord): string {
  return typeof record.rawMessage === "string" ? record.rawMessage : record.rawMessage.join("");
}

/** What a terminal would act on, or not show: control characters, marks that turn the direction of writing. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function printable(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const shown = /[\s"\p{Cc}\p{Cf}\p{Cs}]/u.test(text) ? JSON.stringify(text) : text;
  return shown.replace(UNSEEN, escaped);
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, i) => hex(character.charCodeAt(i))).join("");
}

function hex(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, "0")}`;
}
