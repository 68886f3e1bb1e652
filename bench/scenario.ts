// What a scenario is, and how its rounds are interleaved over the subjects.
import type { Checked } from "./check-answers.ts";
import type { Window } from "./measure.ts";
import type { Place, Started, Subject } from "./subject.ts";

export type Ready = { subject: Subject; started: Started; checked: Checked };

export type Settings = {
  rounds: number;
  windowMs: number;
  warmMs: number;
  quick: boolean;
  place: Place;
  say: (line: string) => void;
};

/** One round of one subject. `values` are the scenario's own figures by name. */
export type Round = {
  subject: string;
  round: number;
  values: Record<string, number>;
  /** Anything that went wrong in it: each must be zero for the figures to count. */
  faults: Record<string, number>;
  window?: Window;
};

export type ScenarioResult = {
  name: string;
  title: string;
  metrics: string[];
  added: string[];
  rounds: Round[];
  notes: string[];
};

export type Scenario = {
  name: string;
  title: string;
  /** The names in `values` to report, in order; the first is the one that ratios are about. */
  metrics: string[];
  /** Those of which the difference to the baseline is reported: the latency a gateway adds. */
  added: string[];
  /** Measured in fresh instances, one subject after the other, instead of those that run all along. */
  fresh: boolean;
  measure: (ready: Ready, settings: Settings) => Promise<Omit<Round, "subject" | "round">>;
};

export function resultOf(scenario: Scenario, rounds: Round[], notes: string[]): ScenarioResult {
  const { name, title, metrics, added } = scenario;
  return { name, title, metrics, added, rounds, notes };
}

/** Rounds of all subjects in turn: A B C, B C A, C A B; so none always comes first after a pause. */
export async function runRounds(
  scenario: Scenario,
  subjects: Ready[],
  settings: Settings,
): Promise<ScenarioResult> {
  const rounds: Round[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const ready = subjects[(turn + round) % subjects.length];
      if (ready === undefined) continue;
      const measured = await scenario.measure(ready, settings);
      const result: Round = { subject: ready.subject.name, round, ...measured };
      rounds.push(result);
      settings.say(describe(scenario, result));
    }
  }
  return resultOf(scenario, rounds, []);
}

export function describe(scenario: { metrics: string[] }, round: Round): string {
  const values = scenario.metrics.map((name) => `${name} ${(round.values[name] ?? Number.NaN).toFixed(1)}`);
  const faults = Object.entries(round.faults).filter(([, count]) => count > 0);
  const bad =
    faults.length === 0 ? "" : `  FAULTS ${faults.map(([name, count]) => `${name}=${count}`).join(" ")}`;
  const stalled = round.window?.stalled ?? [];
  const doubt = stalled.length === 0 ? "" : `  [stalled: ${stalled.join(", ")}]`;
  return `  round ${round.round + 1} ${round.subject.padEnd(14)} ${values.join("  ")}${bad}${doubt}`;
}
