// Sets the project up on a machine that has only Node and npm: the pinned Bun from npm, then the locked packages.
// Runs under Node (20 or newer), prints what it does, and is skipped by bin/parallama when nothing changed.
//
//   node tools/setup.mjs [runtime folder, default .bun] [--gpu cuda|cuda-ext|vulkan]
//
// --gpu fetches a GPU build of llama.cpp for local models (several hundred MB); without it only the CPU build is there.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const args = process.argv.slice(2);
const gpu = args.includes("--gpu") ? args[args.indexOf("--gpu") + 1] : undefined;
const runtime = args[0] && !args[0].startsWith("--") ? args[0] : join(root, ".bun");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const bunVersion = manifest.packageManager.split("@")[1];

function say(text) {
  process.stderr.write(`setup: ${text}\n`);
}

/** Runs a command; on failure shows everything it printed and ends with code 1. */
function run(what, command, commandArgs, options = {}) {
  say(what);
  const result = spawnSync(command, commandArgs, { encoding: "utf8", ...options });
  if (result.status === 0) return;
  process.stderr.write(
    `${result.stdout ?? ""}${result.stderr ?? ""}${result.error ? `${result.error.message}\n` : ""}`,
  );
  say(`failed: ${what}. Fix what is printed above and run the same command again; what is done is kept.`);
  process.exit(1);
}

function installBun() {
  const bun = join(runtime, "node_modules", "bun", "bin", "bun.exe");
  const probe = existsSync(bun) ? spawnSync(bun, ["--version"], { encoding: "utf8" }) : undefined;
  if (probe?.status === 0 && probe.stdout.trim() === bunVersion) return bun;
  mkdirSync(runtime, { recursive: true });
  writeFileSync(join(runtime, "package.json"), '{"private":true}\n');
  run(`fetching Bun ${bunVersion} from npm into ${runtime} (once, about 100 MB)`, "npm", [
    ...["install", "--prefix", runtime, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"],
    `bun@${bunVersion}`,
  ]);
  // npm was told to run no install scripts; Bun's own is the one that puts its binary in place.
  run("putting Bun's binary in place", process.execPath, [
    join(runtime, "node_modules", "bun", "install.js"),
  ]);
  return bun;
}

function installPackages(bun) {
  if (!existsSync(join(root, "bun.lock"))) return; // installed from a package: npm has placed the dependencies
  run(
    "installing the locked packages (no package's install script is run)",
    bun,
    ["install", "--frozen-lockfile"],
    {
      cwd: root,
    },
  );
}

/** Puts the GPU build that was asked for where node-llama-cpp looks for it. */
function installGpuBuild(kind) {
  const name = `@node-llama-cpp/${process.platform === "win32" ? "win" : "linux"}-x64-${kind}`;
  const folder = join(runtime, "gpu");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{"private":true}\n');
  run(`fetching ${name} (several hundred MB)`, "npm", [
    ...["install", "--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund"],
    `${name}@${manifest.dependencies["node-llama-cpp"]}`,
  ]);
  const target = join(root, "node_modules", name);
  rmSync(target, { recursive: true, force: true });
  cpSync(join(folder, "node_modules", name), target, { recursive: true });
}

const started = Date.now();
const bun = installBun();
installPackages(bun);
if (gpu) installGpuBuild(gpu);
copyFileSync(join(root, "package.json"), join(runtime, "installed-package.json"));
if (existsSync(join(root, "bun.lock")))
  copyFileSync(join(root, "bun.lock"), join(runtime, "installed-bun.lock"));
say(`ready (${((Date.now() - started) / 1000).toFixed(1)} s)`);
