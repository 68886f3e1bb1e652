import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDurationMs, parseDurationMs } from "../../src/config/parse-duration-ms.ts";

const DURATIONS: readonly [string | number, number | undefined][] = [
  [0, 0],
  [10, 10_000],
  [0.25, 250],
  [0.3, 300],
  ["10", 10_000],
  ["1.5", 1500],
  ["500ms", 500],
  ["10s", 10_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["1m30s", 90_000],
  ["1m 30s", 90_000],
  ["1.5h", 5_400_000],
  ["0.1s", 100],
  [" 7s ", 7000],
  ["0s", 0],
  ["0.0001s", undefined],
  ["0.5ms", undefined],
  [0.0001, undefined],
  [-1, undefined],
  ["-1s", undefined],
  ["", undefined],
  ["s", undefined],
  ["10 seconds", undefined],
  ["10S", undefined],
  ["1m30", undefined],
  ["1e3s", undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  ["999999999999d", undefined],
];

test.each(DURATIONS)("the duration %p is %p ms", (raw, ms) => {
  expect(parseDurationMs(raw)).toBe(ms);
});

test("a duration that was written is read back as it was", () => {
  fc.assert(
    fc.property(fc.nat({ max: 4_000_000_000_000 - 1 }), (ms) => {
      expect(parseDurationMs(formatDurationMs(ms % 1e12))).toBe(ms % 1e12);
    }),
  );
});
