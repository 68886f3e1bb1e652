import { beforeEach, expect, test } from "bun:test";
import { type Deadline, Deadlines } from "../../src/engine/deadlines.ts";

let nowMs: number;
let deadlines: Deadlines;
let expired: string[];
beforeEach(() => {
  nowMs = 1_000;
  deadlines = new Deadlines({ now: () => 0, monotonicMs: () => nowMs });
  expired = [];
});

function watch(name: string, atMs: number): Deadline {
  const deadline = { atMs, expire: () => void expired.push(name) };
  deadlines.watch(deadline);
  return deadline;
}

function tickAt(ms: number): string[] {
  nowMs = ms;
  deadlines.tick();
  return expired.splice(0);
}

test("a deadline expires when its moment has come, once", () => {
  watch("a", 1_500);
  watch("b", 2_000);
  expect([tickAt(1_499), tickAt(1_500), tickAt(1_999), tickAt(3_000), tickAt(4_000)]).toEqual([
    [],
    ["a"],
    [],
    ["b"],
    [],
  ]);
});

test("a deadline that is moved expires at its new moment", () => {
  const deadline = watch("a", 1_500);
  deadline.atMs = 1_800;
  expect([tickAt(1_500), tickAt(1_800)]).toEqual([[], ["a"]]);
});

test("a deadline that is forgotten never expires; forgetting twice does no harm", () => {
  const deadline = watch("a", 1_500);
  deadlines.forget(deadline);
  deadlines.forget(deadline);
  expect(tickAt(9_000)).toEqual([]);
});

test("a deadline that is forgotten while another expires does not expire any more", () => {
  const second: Deadline = { atMs: 1_500, expire: () => void expired.push("second") };
  deadlines.watch({
    atMs: 1_500,
    expire() {
      expired.push("first");
      deadlines.forget(second);
    },
  });
  deadlines.watch(second);
  expect(tickAt(1_500)).toEqual(["first"]);
});

test("the time is that of the last tick while something is watched, and exact when watching begins", () => {
  nowMs = 5_000;
  expect(deadlines.nowMs()).toBe(5_000);
  const deadline = watch("a", 90_000);
  nowMs = 5_050;
  expect(deadlines.nowMs()).toBe(5_000);
  tickAt(5_100);
  expect(deadlines.nowMs()).toBe(5_100);
  deadlines.forget(deadline);
  nowMs = 7_777;
  expect(deadlines.nowMs()).toBe(7_777);
});

test("its own timer ticks, and ends when there is nothing left to watch", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  deadlines.watch({ atMs: 0, expire: () => resolve() });
  await promise;
  const second = Promise.withResolvers<void>();
  deadlines.watch({ atMs: 0, expire: () => second.resolve() });
  await second.promise;
});
