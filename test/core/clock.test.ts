import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { systemClock } from "../../src/core/clock.ts";

let dateNow: ReturnType<typeof spyOn<typeof Date, "now">>;
beforeEach(() => {
  dateNow = spyOn(Date, "now");
});
afterEach(() => dateNow.mockRestore());

test("the clock never goes back, whoever sets it", () => {
  const clock = systemClock();
  const readings = [1_000, 999, 1, 1_000, 1_001, 500];
  for (const reading of readings) dateNow.mockImplementationOnce(() => reading);
  expect(readings.map(() => clock.now())).toEqual([1_000, 1_000, 1_000, 1_000, 1_001, 1_001]);
});

test("the monotonic time has nothing to do with the date", () => {
  const clock = systemClock();
  dateNow.mockImplementation(() => 0);
  const before = clock.monotonicMs();
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before);
  expect(before).toBeGreaterThan(0);
});
