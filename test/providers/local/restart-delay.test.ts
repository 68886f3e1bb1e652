import { expect, test } from "bun:test";
import { restartDelayMs } from "../../../src/providers/local/restart-delay.ts";

test("the delay doubles from 0.25 s to 30 s and stays there", () => {
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100, 100_000].map((crashes) => restartDelayMs(crashes));
  expect(delays).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
});

test("first and longest delay can be set", () => {
  const options = { firstMs: 10, longestMs: 25 };
  expect([1, 2, 3].map((crashes) => restartDelayMs(crashes, options))).toEqual([10, 20, 25]);
});
