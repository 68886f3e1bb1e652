// The command line of the benchmark.
import { parseArgs } from "node:util";
import { FRESH_SCENARIOS } from "./endurance.ts";
import { ROUND_SCENARIOS } from "./scenarios.ts";
import { BASELINE, SUBJECTS } from "./subjects.ts";

const HELP = `bun bench/relay.ts [options]

  --quick              fewer, shorter rounds and smaller endurance runs: shows that it works, measures nothing
  --only a,b           scenarios whose names begin so (default: all; --list shows them)
  --subjects a,b       default: nginx,bare-bun,parallama-off,parallama; nginx is always there
  --with portkey       adds a subject; portkey is installed from npm into a temporary folder
  --rounds N           rounds of each subject (default 7, at least 5 for figures to publish)
  --seconds N          length of a round's window (default 2.5)
  --json FILE          default bench/out/relay.json
  --markdown FILE      default bench/out/relay.md, ready for docs/performance.md
  --list               shows scenarios and subjects
`;

export type Options = {
  quick: boolean;
  only: string[];
  subjects: string[];
  rounds: number;
  windowMs: number;
  json: string;
  markdown: string;
};

const list = (text: string | undefined): string[] => (text ?? "").split(",").filter((part) => part !== "");

/** The options, or undefined when all that was asked for has been printed. */
export function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      subjects: { type: "string" },
      with: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      json: { type: "string", default: "bench/out/relay.json" },
      markdown: { type: "string", default: "bench/out/relay.md" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help || values.list) {
    console.log(values.help ? HELP : "");
    for (const scenario of [...ROUND_SCENARIOS, ...FRESH_SCENARIOS]) {
      console.log(`  ${scenario.name.padEnd(18)} ${scenario.title}`);
    }
    for (const subject of SUBJECTS) console.log(`  ${subject.name.padEnd(18)} ${subject.what}`);
    return undefined;
  }
  const chosen =
    values.subjects === undefined ? SUBJECTS.map((s) => s.name).filter((n) => n !== "portkey") : [];
  const subjects = [...new Set([BASELINE, ...chosen, ...list(values.subjects), ...list(values.with)])];
  const unknown = subjects.filter((name) => !SUBJECTS.some((subject) => subject.name === name));
  if (unknown.length > 0) throw new Error(`no subject named ${unknown.join(", ")}; --list shows them`);
  const only = list(values.only);
  const names = [...ROUND_SCENARIOS, ...FRESH_SCENARIOS].map((scenario) => scenario.name);
  const nothing = only.filter((prefix) => !names.some((name) => name.startsWith(prefix)));
  if (nothing.length > 0) throw new Error(`no scenario begins with ${nothing.join(", ")}; --list shows them`);
  const positive = (text: string | undefined, otherwise: number): number => {
    const value = Number(text ?? otherwise);
    if (!(value > 0)) throw new Error(`${text} is not a positive number`);
    return value;
  };
  return {
    quick: values.quick,
    only,
    subjects,
    rounds: Math.ceil(positive(values.rounds, values.quick ? 2 : 7)),
    windowMs: positive(values.seconds, values.quick ? 0.8 : 2.5) * 1000,
    json: values.json,
    markdown: values.markdown,
  };
}
