import { createInterface } from "node:readline";
import type { WriteStream } from "node:tty";
import type { CliInput, CliIo, CliOutput } from "./cli-io.ts";

export interface SystemIo extends CliIo {
  /** Waits until what was written has left the process. */
  flush(): Promise<void>;
}

/** The process's own terminal and environment. */
export function systemIo(): SystemIo {
  const { env } = process;
  const isAscii = isAsciiTerminal(env);
  return {
    stdout: outputTo(process.stdout, isAscii),
    stderr: outputTo(process.stderr, isAscii),
    stdin: systemInput(),
    env,
    cwd: process.cwd(),
    now: Date.now,
    onInterrupt(listener) {
      process.on("SIGINT", listener);
      return () => process.off("SIGINT", listener);
    },
    async flush() {
      await Promise.all([drained(process.stdout), drained(process.stderr)]);
    },
  };
}

function outputTo(stream: WriteStream, isAscii: boolean): CliOutput {
  let isOpen = true;
  // Whoever reads has seen enough (`| head`), or the disk of a redirection is full: nothing more can be told there.
  stream.on("error", () => {
    isOpen = false;
  });
  return {
    write(text) {
      if (isOpen) stream.write(isAscii && stream.isTTY ? inAscii(text) : text);
    },
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns;
    },
  };
}

function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else {
      stream.once("error", () => resolve());
      stream.write("", () => resolve());
    }
  });
}

/** True where the locale says another character set than UTF-8. Unset says nothing, and UTF-8 is what terminals do. */
function isAsciiTerminal(env: CliIo["env"]): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || "UTF-8";
  return !/utf-?8/i.test(locale);
}

const STAND_INS: Readonly<Record<string, string>> = { "…": "~", "█": "#", "░": ".", "�": "?" };

/** Our own signs by one ASCII character each, so that columns stay in place. What users stored is passed on. */
function inAscii(text: string): string {
  return text.replace(/[…█░�]/g, (sign) => STAND_INS[sign] ?? "?");
}

function systemInput(): CliInput {
  let lines: AsyncIterator<string> | undefined;
  return {
    isTerminal: process.stdin.isTTY === true,
    async readLine() {
      lines ??= createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })[
        Symbol.asyncIterator
      ]();
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
  };
}
