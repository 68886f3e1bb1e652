// What is printed and written: a table per scenario with every subject beside the baseline, every round, and the
// same as Markdown for docs/performance.md.
import type { Facts } from "./machine.ts";
import type { Round, ScenarioResult } from "./scenario.ts";
import { ratios, type Spread, spread } from "./statistics.ts";
import { BASELINE, SUBJECTS } from "./subjects.ts";

export type Report = {
  facts: Facts;
  settings: Record<string, string | number | boolean>;
  subjects: string[];
  remarks: string[];
  results: ScenarioResult[];
};

const number = (value: number): string => {
  if (Number.isNaN(value)) return "-";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
};
const range = (value: Spread): string =>
  `${number(value.median)} (${number(value.min)}-${number(value.max)})`;

const roundsOf = (result: ScenarioResult, subject: string): Round[] =>
  result.rounds.filter((round) => round.subject === subject).toSorted((a, b) => a.round - b.round);
const valuesOf = (result: ScenarioResult, subject: string, metric: string): number[] =>
  roundsOf(result, subject).map((round) => round.values[metric] ?? Number.NaN);
const faultsOf = (rounds: Round[]): number =>
  rounds.flatMap((round) => Object.values(round.faults)).reduce((sum, count) => sum + count, 0);

type Table = { head: string[]; rows: string[][] };

export function tableOf(result: ScenarioResult, subjects: string[]): Table {
  const [first = ""] = result.metrics;
  const compared = subjects.includes(BASELINE) && first.startsWith("CPU");
  const added = subjects.includes(BASELINE) ? result.added : [];
  const head = ["subject"];
  if (compared) head.push(`${first} over nginx's: median (min-max)`);
  for (const metric of result.metrics) {
    head.push(metric);
    if (added.includes(metric)) head.push(`${metric} added`);
  }
  head.push("stalled", "faults");
  const rows = subjects.map((subject) => {
    const rounds = roundsOf(result, subject);
    const row = [subject];
    const several = rounds.length > 1;
    const show = (values: number[]): string =>
      several ? range(spread(values)) : number(values[0] ?? Number.NaN);
    if (compared) row.push(show(ratios(valuesOf(result, subject, first), valuesOf(result, BASELINE, first))));
    for (const metric of result.metrics) {
      const values = valuesOf(result, subject, metric);
      row.push(show(values));
      if (added.includes(metric)) {
        const base = valuesOf(result, BASELINE, metric);
        row.push(show(values.map((value, round) => value - (base[round] ?? Number.NaN))));
      }
    }
    const stalled = rounds.filter((round) => (round.window?.stalled.length ?? 0) > 0).length;
    row.push(`${stalled} of ${rounds.length}`, String(faultsOf(rounds)));
    return row;
  });
  return { head, rows };
}

/** How many times the CPU of the product each other subject took, in the rounds beside it. */
function versus(result: ScenarioResult, subjects: string[], product: string): string[] {
  const [first = ""] = result.metrics;
  if (!first.startsWith("CPU") || !subjects.includes(product)) return [];
  const base = valuesOf(result, product, first);
  return subjects
    .filter((subject) => subject !== product && subject !== BASELINE)
    .map((subject) => {
      const times = spread(ratios(valuesOf(result, subject, first), base));
      return `${subject} took ${range(times)} times the CPU of ${product}`;
    });
}

const notesOf = (result: ScenarioResult, subjects: string[]): string[] => [
  ...result.notes,
  ...versus(result, subjects, "parallama"),
];

function asText({ head, rows }: Table): string {
  const widths = head.map((cell, at) => Math.max(cell.length, ...rows.map((row) => row[at]?.length ?? 0)));
  return [head, ...rows]
    .map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  "))
    .join("\n");
}

const asMarkdown = ({ head, rows }: Table): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** Every round's first figure in order, so that none is dropped; a star marks one in which the machine stalled. */
function roundLines(result: ScenarioResult, subjects: string[]): string[] {
  const [first = ""] = result.metrics;
  return subjects.map((subject) => {
    const rounds = roundsOf(result, subject).map((round) => {
      const stalled = (round.window?.stalled.length ?? 0) > 0 ? "*" : "";
      return `${number(round.values[first] ?? Number.NaN)}${stalled}`;
    });
    return `${subject}: ${rounds.join(", ")}`;
  });
}

export function textOf(result: ScenarioResult, subjects: string[]): string {
  const notes = notesOf(result, subjects).map((note) => `\n  ${note}`);
  return `\n${result.title} [${result.name}]\n${asText(tableOf(result, subjects))}${notes.join("")}`;
}

export function markdownOf(report: Report): string {
  const parts = [
    `Measured ${report.facts.date?.slice(0, 10)} with \`bun bench/relay.ts\`.`,
    [
      "| Machine | |",
      "| --- | --- |",
      ...Object.entries(report.facts).map(([k, v]) => `| ${k} | ${v} |`),
    ].join("\n"),
    SUBJECTS.filter((subject) => report.subjects.includes(subject.name))
      .map((subject) => `- **${subject.name}**: ${subject.what}.`)
      .join("\n"),
    `Settings: ${Object.entries(report.settings)
      .map(([name, value]) => `${name} ${value}`)
      .join(
        ", ",
      )}. Each figure is the median of the rounds with the smallest and largest in parentheses; ratios are ` +
      "taken round by round against the nginx round of the same turn. No round is left out; a star marks a round in " +
      "which the machine stalled.",
  ];
  if (report.remarks.length > 0) parts.push(report.remarks.map((remark) => `- ${remark}`).join("\n"));
  for (const result of report.results) {
    parts.push(`### ${result.title}`, asMarkdown(tableOf(result, report.subjects)));
    const lines = [...notesOf(result, report.subjects)];
    if (result.rounds.length > report.subjects.length) {
      lines.push(
        ...roundLines(result, report.subjects).map((line) => `rounds, ${result.metrics[0]}, ${line}`),
      );
    }
    if (lines.length > 0) parts.push(lines.map((line) => `- ${line}`).join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

export const hasFaults = (report: Report): boolean =>
  report.results.some((result) => faultsOf(result.rounds) > 0);
