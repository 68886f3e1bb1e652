import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatSize, parseSize } from "../../src/config/parse-size.ts";

const SIZES: readonly [string | number, number | undefined][] = [
  [0, 0],
  [33_554_432, 33_554_432],
  ["1000", 1000],
  ["12b", 12],
  ["1k", 1024],
  ["1KiB", 1024],
  ["1kB", 1000],
  ["100M", 104_857_600],
  ["32MiB", 33_554_432],
  ["32 mib", 33_554_432],
  ["5MB", 5_000_000],
  ["1.5GiB", 1_610_612_736],
  ["2G", 2_147_483_648],
  ["1TB", 1e12],
  [" 7K ", 7168],
  ["0.3k", undefined],
  [1.5, undefined],
  [-1, undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  ["-1", undefined],
  ["1e3", undefined],
  ["", undefined],
  ["M", undefined],
  ["1 0M", undefined],
  ["1XB", undefined],
  ["1MiBs", undefined],
  ["9999999999999999T", undefined],
];

test.each(SIZES)("the size %p is %p bytes", (raw, bytes) => {
  expect(parseSize(raw)).toBe(bytes);
});

test("a size that was written is read back as it was", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
    }),
  );
});
