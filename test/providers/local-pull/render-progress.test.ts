import { expect, test } from "bun:test";
import { formatBytes, type PullProgress, renderProgress } from "../../../src/providers/local/pull/index.ts";
import { ProgressReporter } from "../../../src/providers/local/pull/progress-reporter.ts";

const half: PullProgress = {
  phase: "download",
  receivedBytes: 52_500_000,
  totalBytes: 105_000_000,
  bytesPerSecond: 2_500_000,
  file: "smollm2-135m-instruct-q4_k_m.gguf",
};

test("a wide terminal shows everything", () => {
  const line = renderProgress(half, 120);
  expect(line).toMatch(
    /^smollm2-135m-instruct-q4_k_m\.gguf {2}█+░+ {3}49% {2}52\.5 MB\/105\.0 MB {2}2\.5 MB\/s {2}21s$/,
  );
});

test("a narrow terminal loses the least important first, and no line is too long", () => {
  for (const phase of ["resolve", "download", "verify", "done"] as const) {
    for (const totalBytes of [null, 0, 105_000_000]) {
      for (let columns = 0; columns <= 200; columns++) {
        expect(renderProgress({ ...half, phase, totalBytes }, columns).length).toBeLessThanOrEqual(columns);
      }
    }
  }
  expect(renderProgress(half, 60)).toBe("smollm2-135m-instruc…   49%  52.5 MB/105.0 MB  2.5 MB/s  21s");
  expect(renderProgress(half, 40)).toBe("smollm2-135m-in…   49%  52.5 MB/105.0 MB");
  expect(renderProgress(half, 20)).toBe("smollm2-135m-…   49%");
});

test("an unknown total shows bytes and speed, without bar, percent and remaining time", () => {
  expect(renderProgress({ ...half, totalBytes: null }, 100)).toBe(
    "smollm2-135m-instruct-q4_k_m.gguf  52.5 MB  2.5 MB/s",
  );
});

test("a finished pull is 100 %, and only a finished one", () => {
  const complete = { ...half, receivedBytes: 105_000_000 };
  expect(renderProgress(complete, 100)).toContain("99%");
  expect(renderProgress({ ...complete, phase: "verify" }, 100)).toContain("verifying");
  expect(renderProgress({ ...complete, phase: "done" }, 100)).toMatch(/█{20,} {2}100% {2}105\.0 MB {2}done$/);
});

test("looking up shows the reference; a stalled download shows no speed", () => {
  const start = { ...half, phase: "resolve", receivedBytes: 0, totalBytes: null, file: "hf:o/r" } as const;
  expect(renderProgress(start, 80)).toBe("hf:o/r  looking up");
  expect(renderProgress({ ...half, bytesPerSecond: 0 }, 120)).not.toContain("/s");
  expect(renderProgress({ ...half, bytesPerSecond: 1000 }, 120)).toContain("14h 35m");
});

test("bytes are told in decimal units", () => {
  expect([0, 999, 1500, 105_454_432, 4_920_000_000].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.5 kB",
    "105.5 MB",
    "4.92 GB",
  ]);
});

test("the reporter counts parts together, leaves what was on the disk out of the speed, and limits its rate", () => {
  let nowMs = 0;
  const seen: PullProgress[] = [];
  const reporter = new ProgressReporter(
    "ref",
    (progress) => seen.push(progress),
    () => nowMs,
  );
  reporter.totalBytes = 3000;
  reporter.enter("download", "a");
  reporter.received(1000);
  for (let count = 1; count <= 50; count++) {
    nowMs += 10;
    reporter.received(1000 + count * 10, 10);
  }
  expect(seen.length).toBe(6);
  expect(seen.at(-1)).toEqual({
    phase: "download",
    receivedBytes: 1500,
    totalBytes: 3000,
    bytesPerSecond: 1000,
    file: "a",
  });
  reporter.finishFile(1500);
  reporter.enter("download", "b");
  expect(seen.at(-1)).toMatchObject({ receivedBytes: 1500, file: "b" });
});
