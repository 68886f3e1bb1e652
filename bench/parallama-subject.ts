// How the product is started for the benchmark: a real data directory, a real key, a price, and a provider that is
// the upstream. Only what stands here knows the product's commands; the rest of bench/ sees a port and a header.
import { existsSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort, run, startProcess, waitForAnswer } from "./processes.ts";
import { MODEL, PROVIDER_KEY } from "./shapes.ts";
import { BUN_ENV, instanceFolder, type Place, type Started, sameForBoth, subjectCores } from "./subject.ts";

const ROOT = resolve(import.meta.dir, "..");

/** The launcher's part in src/main.ts; the launcher itself only finds Bun and sets BUN_ENV. */
const command = (args: string[]): string[] => [
  process.execPath,
  "--no-env-file",
  join(ROOT, "src/main.ts"),
  ...args,
];

/** A provider that is the upstream, and limits wide enough that 3,000 streams are the machine's matter. */
const configuration = (upstream: string): string => `
server:
  max_concurrent_requests: 20000
  max_held_body_bytes: 4GB
providers:
  bench:
    type: openai-compatible
    base_url: ${upstream}/v1
    api_key: ${PROVIDER_KEY}
models:
  - name: ${MODEL}
    targets:
      - provider: bench
        model: ${MODEL}
`;

/** Commands before the server starts: a price, so that every answer costs something, and somebody to charge it to. */
const preparation = (): string[][] => [
  ["price", "set", MODEL, "--input", "0.15", "--output", "0.60"],
  ["user", "create", "bench"],
];

/** Creates the caller's key; what it prints holds the key. */
const createKey = ["key", "generate", "bench"];

/** The same application on the same route, without key check, journal, metering and log: see there. */
const offCommand = (port: number, common: string[]): string[] => [
  process.execPath,
  "--no-env-file",
  join(ROOT, "bench/parallama-off.ts"),
  String(port),
  ...common,
];

export async function startParallama(place: Place, off: boolean): Promise<Started> {
  if (!existsSync(join(ROOT, "src/main.ts"))) throw new Error("src/main.ts is not there yet");
  const name = off ? "parallama-off" : "parallama";
  const folder = instanceFolder(place, name);
  const port = await freePort();
  const upstream = `http://127.0.0.1:${place.upstreamPort}`;
  const config = join(folder, "parallama.yaml");
  writeFileSync(config, configuration(upstream));
  const env = { ...BUN_ENV, OLLAMA_BASE_URL: upstream };
  const common = ["--config", config, "--data-dir", join(folder, "data")];

  for (const step of preparation()) run(command([...step, ...common]), { cwd: folder, env });
  const printed = run(command([...createKey, ...common]), { cwd: folder, env });
  const key = /\bpk_[A-Za-z0-9]+/.exec(printed)?.[0];
  if (key === undefined) throw new Error("the command that creates a key printed no key");

  const serve = off ? offCommand(port, common) : command(["serve", "--port", String(port), ...common]);
  const child = startProcess(serve, {
    cores: subjectCores(),
    env,
    cwd: folder,
    folder,
    name,
  });
  await waitForAnswer(`http://127.0.0.1:${port}/health`, child, name);
  return sameForBoth(port, { Authorization: `Bearer ${key}` }, child);
}
