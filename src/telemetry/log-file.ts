import { closeSync, fstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import type { Sink } from "@logtape/logtape";
import { jsonLine } from "./log-sinks.ts";

const GATHERED_CHARACTERS = 16 * 1024;
const FLUSH_MS = 1_000;

export interface LogFileOptions {
  readonly maxBytes: number;
  /** How many rotated files stay beside it: `api.log.1`, `api.log.2`, ... */
  readonly backupCount: number;
  /** Told how many lines could not be written. */
  readonly dropped: (lines: number) => void;
}

/**
 * A log file that is rotated by size. Only its opening throws: lines that cannot be written later, on a full disk say,
 * are dropped and counted, and the file is opened anew for the next ones. Never LogTape's own, which writes on to the
 * number of a file that it has closed: by then it may be that of the database.
 */
export class LogFile {
  readonly #path: string;
  readonly #options: LogFileOptions;
  #fd: number | undefined;
  #bytes = 0;
  #text = "";
  #lines = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(path: string, options: LogFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#open();
  }

  /** Lines gather for a moment and are written together; an error's at once. */
  readonly sink: Sink = (record) => {
    try {
      this.#text += jsonLine(record);
    } catch {
      this.#options.dropped(1);
      return;
    }
    this.#lines++;
    if (record.level === "error" || this.#text.length >= GATHERED_CHARACTERS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  };

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines > 0) this.#write();
  }

  /** A line that comes later still is written: it opens the file again for itself. */
  close(): void {
    this.#closed = true;
    this.flush();
    this.#letGo();
  }

  #write(): void {
    const bytes = Buffer.from(this.#text);
    const lines = this.#lines;
    this.#text = "";
    this.#lines = 0;
    let written = 0;
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#options.maxBytes) this.#rotate();
      const fd = this.#fd ?? this.#open();
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      this.#bytes += written;
    } catch {
      this.#letGo();
      if (written > 0) this.#text = "\n"; // the next line does not go on with one that was cut off
      this.#options.dropped(lines);
    }
    if (this.#closed) this.#letGo();
  }

  #open(): number {
    const fd = openSync(this.#path, "a");
    this.#fd = fd;
    this.#bytes = fstatSync(fd).size;
    return fd;
  }

  #letGo(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) quietly(() => closeSync(fd));
  }

  /** Where a file cannot be renamed, the log goes on in the one it has. */
  #rotate(): void {
    this.#letGo();
    const { backupCount } = this.#options;
    for (let number = backupCount - 1; number > 0; number--) {
      quietly(() => renameSync(`${this.#path}.${number}`, `${this.#path}.${number + 1}`));
    }
    quietly(() => (backupCount > 0 ? renameSync(this.#path, `${this.#path}.1`) : rmSync(this.#path)));
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // What follows does without it.
  }
}
