// One window of measuring: what the subject used, and whether the machine was fit to measure at all.
import { coreTime, cpuSeconds, memoryOf, otherCores, SUBJECT_CORE } from "./machine.ts";

export type Window = {
  seconds: number;
  cpuSeconds: number;
  /** Share of one core the subject used: near 1 it was saturated. */
  utilisation: number;
  rssMb: number;
  pssMb: number;
  /** The longest time the load generator did not get to run, and what the hypervisor and others took. */
  generatorLagMs: number;
  stealShare: number;
  othersShare: number;
  /** Why this round is doubtful; it is listed and counted all the same. */
  stalled: string[];
};

const LAG_LIMIT_MS = 150;
const STEAL_LIMIT = 0.05;
const OTHERS_LIMIT = 0.25;

/** Runs `work` while watching the subject and the machine. */
export async function measureWindow(pid: number, work: () => Promise<void>): Promise<Window> {
  let lag = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    const now = performance.now();
    lag = Math.max(lag, now - last - 10);
    last = now;
  }, 10);
  const steal = (): number =>
    coreTime(SUBJECT_CORE).steal + coreTime(Number.parseInt(otherCores(), 10) || 0).steal;
  const coreBefore = coreTime(SUBJECT_CORE).busy;
  const stealBefore = steal();
  const cpuBefore = cpuSeconds(pid);
  const begin = performance.now();
  await work();
  const used = cpuSeconds(pid) - cpuBefore;
  const seconds = (performance.now() - begin) / 1000;
  clearInterval(watch);
  const stealShare = (steal() - stealBefore) / (2 * seconds);
  // Without pinning the core's time says nothing about others.
  const othersShare =
    otherCores() === "" ? 0 : Math.max(0, (coreTime(SUBJECT_CORE).busy - coreBefore - used) / seconds);
  const stalled: string[] = [];
  if (lag > LAG_LIMIT_MS) stalled.push(`load stood still for ${lag.toFixed(0)} ms`);
  if (stealShare > STEAL_LIMIT) stalled.push(`${(stealShare * 100).toFixed(0)} % stolen`);
  if (othersShare > OTHERS_LIMIT) stalled.push(`others used ${(othersShare * 100).toFixed(0)} % of the core`);
  return {
    seconds,
    cpuSeconds: used,
    utilisation: used / seconds,
    ...memoryOf(pid),
    generatorLagMs: lag,
    stealShare,
    othersShare,
    stalled,
  };
}
