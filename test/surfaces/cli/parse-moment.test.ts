import { expect, test } from "bun:test";
import { parseMoment } from "../../../src/surfaces/cli/parse-moment.ts";
import { NOW_MS } from "./support.ts";

test.each([
  ["12h", "2026-11-22T17:23:45.678Z"],
  ["30d", "2026-12-22T05:23:45.678Z"],
  ["2w", "2026-12-06T05:23:45.678Z"],
  ["2026-12-31", "2026-12-31T00:00:00.000Z"],
  ["2024-02-29", "2024-02-29T00:00:00.000Z"],
  ["2026-12-31T18:00", "2026-12-31T18:00:00.000Z"],
  ["2026-12-31 18:00:30", "2026-12-31T18:00:30.000Z"],
  ["2026-12-31T18:00:00.5Z", "2026-12-31T18:00:00.500Z"],
  ["2026-12-31T18:00+02:00", "2026-12-31T16:00:00.000Z"],
])("%s is %s", (text, iso) => {
  expect(parseMoment(text, NOW_MS)).toBe(iso);
});

test.each([
  "",
  "30",
  "d",
  "-1d",
  "30m",
  "1.5d",
  "2026-02-30",
  "2026-13-01",
  "26-12-31",
  "12/31/2026",
  "2026-12-31T25:00",
  "tomorrow",
])("'%s' is no moment", (text) => {
  expect(parseMoment(text, NOW_MS)).toBeUndefined();
});
