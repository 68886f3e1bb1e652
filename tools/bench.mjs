// Runs the benchmark under the pinned Bun: `npm run bench -- --help`. What it measures: bench/relay.ts.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bun = join(root, ".bun", "node_modules", "bun", "bin", "bun.exe");

if (!existsSync(bun)) {
  const setup = spawnSync(process.execPath, [join(root, "tools", "setup.mjs")], { stdio: "inherit" });
  if (setup.status !== 0) process.exit(setup.status ?? 1);
}
const args = ["--no-env-file", join(root, "bench", "relay.ts"), ...process.argv.slice(2)];
// Run from the project's folder: the results' default place is bench/out there.
const result = spawnSync(bun, args, { stdio: "inherit", cwd: root });
process.exit(result.status ?? 1);
