import type { CliIo, CliOutput } from "../cli-io.ts";

export type Tone = "heading" | "good" | "bad" | "attention" | "muted";

const CODES: Readonly<Record<Tone, readonly [number, number]>> = {
  heading: [1, 22],
  good: [32, 39],
  bad: [31, 39],
  attention: [33, 39],
  muted: [2, 22],
};

/** How text is written to one output: how wide, and in colour or not. */
export interface Style {
  /** Columns of the terminal; `undefined`: no terminal, so nothing is cut. */
  readonly width: number | undefined;
  paint(text: string, tone: Tone | undefined): string;
}

const DEFAULT_WIDTH = 80;

/** Colours only on a terminal, and not where NO_COLOR (https://no-color.org) or a dumb terminal forbids them. */
export function styleOf(output: CliOutput, env: CliIo["env"], wantsColor: boolean): Style {
  const forbidden = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  const isColored = output.isTerminal && wantsColor && !forbidden;
  return {
    width: output.isTerminal ? (output.columns ?? DEFAULT_WIDTH) : undefined,
    paint(text, tone) {
      if (!isColored || tone === undefined || text === "") return text;
      const [on, off] = CODES[tone];
      return `\x1b[${on}m${text}\x1b[${off}m`;
    },
  };
}

/** The colour of a state of an account or key. */
export function stateTone(state: string): Tone | undefined {
  if (state === "active") return "good";
  return state === "revoked" || state === "expired" ? "bad" : "muted";
}
