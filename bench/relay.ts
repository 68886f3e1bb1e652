// Measures the gateway as a relay, beside nginx in the same run: `bun bench/relay.ts --help`.
//
// This process is the load generator. It and the upstream share the cores that the subjects do not have.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkAnswers } from "./check-answers.ts";
import { FRESH_SCENARIOS } from "./endurance.ts";
import { machineFacts, openFilesLimit, otherCores, pinSelf } from "./machine.ts";
import { type Options, readOptions } from "./options.ts";
import { freePort, startProcess, stopAll, temporaryFolder, waitForAnswer } from "./processes.ts";
import { hasFaults, markdownOf, type Report, textOf } from "./report.ts";
import {
  describe,
  type Ready,
  type Round,
  resultOf,
  runRounds,
  type Scenario,
  type Settings,
} from "./scenario.ts";
import { ROUND_SCENARIOS } from "./scenarios.ts";
import type { Subject } from "./subject.ts";
import { SUBJECTS } from "./subjects.ts";

const say = (line: string): void => console.log(line);
const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function startUpstream(folder: string): Promise<number> {
  const port = await freePort();
  const command = [process.execPath, join(import.meta.dir, "upstream.ts"), String(port)];
  const upstream = startProcess(command, { cores: otherCores(), folder, name: "upstream" });
  await waitForAnswer(`http://127.0.0.1:${port}/stats`, upstream, "the upstream");
  return port;
}

/** Starts a subject and sees that it answers right. A subject that cannot take part is said, never left out silently. */
async function prepare(subject: Subject, settings: Settings, remarks: string[]): Promise<Ready | undefined> {
  try {
    const started = await subject.start(settings.place);
    try {
      const checked = await checkAnswers(started);
      remarks.push(...checked.remarks.map((remark) => `${subject.name}: ${remark}`));
      return { subject, started, checked };
    } catch (error) {
      await started.stop();
      throw error;
    }
  } catch (error) {
    const remark = `${subject.name} did not take part: ${reason(error)}`;
    say(`! ${remark}`);
    remarks.push(remark.split("\n")[0] ?? remark);
    return undefined;
  }
}

async function runFresh(
  scenario: Scenario,
  subjects: Subject[],
  settings: Settings,
): Promise<Report["results"][0]> {
  const rounds: Round[] = [];
  const remarks: string[] = [];
  for (const subject of subjects) {
    const ready = await prepare(subject, settings, remarks);
    if (ready === undefined) continue;
    const round = { subject: subject.name, round: 0, ...(await scenario.measure(ready, settings)) };
    rounds.push(round);
    say(describe(scenario, round));
    await ready.started.stop();
  }
  return resultOf(scenario, rounds, remarks);
}

async function measureAll(options: Options, settings: Settings, report: Report): Promise<void> {
  const wanted = (scenario: Scenario): boolean =>
    options.only.length === 0 || options.only.some((prefix) => scenario.name.startsWith(prefix));
  const chosen = SUBJECTS.filter((subject) => options.subjects.includes(subject.name));
  const ready: Ready[] = [];
  for (const subject of chosen) {
    const started = await prepare(subject, settings, report.remarks);
    if (started !== undefined) ready.push(started);
  }
  report.subjects = ready.map((one) => one.subject.name);
  for (const scenario of ROUND_SCENARIOS.filter(wanted)) {
    say(`\n${scenario.title} [${scenario.name}]`);
    const result = await runRounds(scenario, ready, settings);
    report.results.push(result);
    say(textOf(result, report.subjects));
  }
  for (const one of ready) await one.started.stop();
  for (const scenario of FRESH_SCENARIOS.filter(wanted)) {
    say(`\n${scenario.title} [${scenario.name}]`);
    const taking = ready.map((one) => one.subject);
    const result = await runFresh(scenario, taking, settings);
    report.results.push(result);
    say(textOf(result, report.subjects));
  }
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  say(`written: ${file}`);
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return 0;
  if (process.platform !== "linux") throw new Error("the benchmark reads /proc and so runs on Linux only");
  if (Bun.which("nginx") === null) {
    throw new Error(
      "nginx, the baseline, is not installed. On Debian or Ubuntu: apt-get update && apt-get install -y nginx-light",
    );
  }
  pinSelf(otherCores());
  const folder = temporaryFolder();
  try {
    const facts = machineFacts();
    for (const [name, value] of Object.entries(facts)) say(`${name.padEnd(10)} ${value}`);
    if (openFilesLimit() < 7000)
      say("! fewer than 7,000 open files allowed: fewer streams are opened in [memory]");
    const { rounds, windowMs, quick } = options;
    if (quick || rounds < 5) say("! quick or fewer than five rounds: shows that it works, measures nothing");
    const place = { upstreamPort: await startUpstream(folder), folder };
    const settings: Settings = { rounds, windowMs, warmMs: quick ? 300 : 700, quick, place, say };
    const report: Report = {
      facts,
      settings: { rounds, "window ms": windowMs, quick },
      subjects: [],
      remarks: [],
      results: [],
    };
    await measureAll(options, settings, report);
    write(options.json, `${JSON.stringify(report, null, 2)}\n`);
    write(options.markdown, markdownOf(report));
    if (!hasFaults(report)) return 0;
    say("! faults were counted: the figures of those rounds do not count");
    return 2;
  } finally {
    await stopAll();
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    void stopAll().finally(() => process.exit(130));
  });
}
try {
  process.exit(await main());
} catch (error) {
  console.error(reason(error));
  process.exit(1);
}
