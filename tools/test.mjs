// `npm test`: sets everything up, then type check, lint and all tests. Says what it does and how long each part took.
//
//   node tools/test.mjs [paths or patterns for the test runner]
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bun = join(root, ".bun", "node_modules", "bun", "bin", "bun.exe");
const only = process.argv.slice(2);

function step(name, command, args) {
  process.stdout.write(`\n== ${name}\n`);
  const startedMs = Date.now();
  const env = { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "65336" };
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit", env });
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`== ${name}: ${status === 0 ? "passed" : "FAILED"} (${seconds} s)\n`);
  if (status !== 0) process.exit(status ?? 1);
}

step("set up", process.execPath, [join(root, "tools", "setup.mjs")]);
if (!existsSync(bun)) process.exit(1);
if (only.length === 0) {
  step("types", bun, [join(root, "node_modules", "typescript", "bin", "tsc"), "--noEmit"]);
  step("lint", join(root, "node_modules", ".bin", "biome"), ["check", "."]);
}
// Waits in tests are for events and end early; their bounds are generous, because shared machines stall.
step("tests", bun, ["--no-env-file", "test", "--timeout", "120000", ...only]);
