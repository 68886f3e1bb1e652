import { expect, test } from "bun:test";
import { canonicalModelName } from "../../src/core/model-name.ts";

test.each([
  ["llama2", "llama2"],
  ["llama2:latest", "llama2"],
  ["llama2:7b", "llama2:7b"],
  ["a/b:latest", "a/b"],
  ["latest", "latest"],
  [":latest", ":latest"],
  ["x:latest:latest", "x:latest"],
  ["X:LATEST", "X:LATEST"],
  ["", ""],
])("%p is %p", (name, canonical) => {
  expect(canonicalModelName(name)).toBe(canonical);
});
