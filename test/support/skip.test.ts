import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { skipReason } from "./skip.ts";

const testFolder = join(import.meta.dir, "..");
const before = process.env.CI;

let print: ReturnType<typeof spyOn>;

beforeEach(() => {
  print = spyOn(console, "info").mockImplementation(() => undefined);
  process.env.CI = "true";
});
afterEach(() => {
  print.mockRestore();
  if (before === undefined) delete process.env.CI;
  else process.env.CI = before;
});

test("with CI=true absent recordings and an unreachable host are reasons to skip, and nothing else is", () => {
  expect(skipReason("recordings absent", "because")).toBe("because");
  expect(skipReason("host unreachable", "because")).toBe("because");
  expect(() => skipReason("not installed", "because")).toThrow("because");
  expect(skipReason("not installed", undefined)).toBeUndefined();
});

test("elsewhere any reason is one", () => {
  process.env.CI = "false";
  expect(skipReason("not installed", "because")).toBe("because");
});

test("no test is left out in another way", async () => {
  const offenders: string[] = [];
  const files = new Bun.Glob("**/*.ts").scan({ cwd: testFolder });
  for await (const file of files) {
    const text = readFileSync(join(testFolder, file), "utf8");
    // Split so that this line does not find itself.
    if (new RegExp(`\\b(test|it|describe)\\.(${["skip", "only", "todo"].join("|")})\\(`).test(text)) {
      offenders.push(`${file}: a test is skipped, singled out or postponed`);
    }
    const conditional = /\b(test|it|describe)\.(skipIf|todoIf|if)\(/.test(text);
    if (conditional && !/SkipReason|skipReason/.test(text)) {
      offenders.push(`${file}: a condition without skipReason of test/support/skip.ts`);
    }
  }
  expect(offenders).toEqual([]);
});
