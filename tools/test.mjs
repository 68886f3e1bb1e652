// `npm test`: sets everything up, then type check, lint and all tests. Says what it does and how long each part took;
// the last line is "N passed, N failed, N skipped", where a step that failed without tests of its own counts as one.
//
//   node tools/test.mjs [paths or patterns for the test runner]
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bun = join(root, ".bun", "node_modules", "bun", "bin", "bun.exe");
const only = process.argv.slice(2);
const env = { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" };

/** A test that never ends must not keep a machine of CI; by hand one may wait as long as one likes. */
const mostTestMs = process.env.CI === "true" ? 14 * 60_000 : 24 * 60 * 60_000;

/** Runs one part and says how it went. `work` gives whether it passed. */
async function step(name, work) {
  process.stdout.write(`\n== ${name}\n`);
  const startedMs = Date.now();
  const passed = await work();
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`== ${name}: ${passed ? "passed" : "FAILED"} (${seconds} s)\n`);
  return passed;
}

function command(path, args) {
  const { status, error } = spawnSync(path, args, { cwd: root, stdio: "inherit", env });
  if (error) process.stderr.write(`${error.message}\n`);
  return status === 0;
}

/** Runs Bun's test runner, shows what it prints, and reads its summary. */
function runTests() {
  const tests = { passed: false, counts: { pass: 0, fail: 0, skip: 0 }, skipReasons: new Set() };
  const coloured = process.stdout.isTTY ? { FORCE_COLOR: "1" } : {};
  // Waits in tests are for events and end early; their bounds are generous, because shared machines stall.
  const child = spawn(bun, ["--no-env-file", "test", "--timeout", "120000", ...only], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, ...coloured },
  });
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    let line = "";
    from.setEncoding("utf8").on("data", (text) => {
      to.write(text);
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const whole of lines) readLine(whole, tests);
    });
  }
  return new Promise((resolve) => {
    const clock = setTimeout(() => {
      process.stderr.write(
        `\nThe tests did not end within ${mostTestMs / 60_000} minutes and were stopped.\n`,
      );
      child.kill("SIGKILL");
    }, mostTestMs);
    const end = (passed) => {
      clearTimeout(clock);
      resolve({ ...tests, passed });
    };
    child.on("error", (error) => {
      process.stderr.write(`${error.message}\n`);
      end(false);
    });
    // A process that a test left behind may hold the output open; the summary has been printed by then.
    child.on("exit", (code) => setTimeout(() => end(code === 0), 2_000).unref());
    child.on("close", (code) => end(code === 0));
  });
}

/** Bun's summary is one count a line: " 12 pass", " 1 fail", " 2 skip", " 1 error"; the last ones are those of all. */
function readLine(line, { counts, skipReasons }) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with this character
  const plain = line.replace(/\x1b\[[0-9;]*m/g, "");
  const count = /^\s(\d+) (pass|fail|skip)$/.exec(plain);
  if (count) counts[count[2]] = Number(count[1]);
  if (/^skipped \(.+\): /.test(plain)) skipReasons.add(plain);
}

const setUp = await step("set up", () => command(process.execPath, [join(root, "tools", "setup.mjs")]));
if (!setUp || !existsSync(bun)) {
  process.stdout.write("\nfailed: set up\n0 passed, 1 failed, 0 skipped\n");
  process.exit(1);
}
const failed = [];
if (only.length === 0) {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const biome = join(root, "node_modules", ".bin", "biome");
  if (!(await step("types", () => command(bun, [tsc, "--noEmit"])))) failed.push("types");
  if (!(await step("lint", () => command(biome, ["check", "."])))) failed.push("lint");
}
let tests;
await step("tests", async () => {
  tests = await runTests();
  return tests.passed;
});
const { counts, skipReasons } = tests;
// An error outside of any test, or an end without a summary.
if (!tests.passed && counts.fail === 0) failed.push("tests");
process.stdout.write("\n");
for (const reason of skipReasons) process.stdout.write(`${reason}\n`);
if (failed.length > 0) process.stdout.write(`failed: ${failed.join(", ")}\n`);
process.stdout.write(
  `${counts.pass} passed, ${counts.fail + failed.length} failed, ${counts.skip} skipped\n`,
);
process.exit(tests.passed && failed.length === 0 ? 0 : 1);
