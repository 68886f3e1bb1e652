// What is measured: nginx as the baseline, the product, and others to compare with. A subject is anything that
// listens on a port and relays /v1/chat/completions to the upstream: see Subject in subject.ts.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openFilesLimit } from "./machine.ts";
import { nginxConf } from "./nginx-conf.ts";
import { startParallama } from "./parallama-subject.ts";
import { freePort, run, startProcess, waitForAnswer } from "./processes.ts";
import { PROVIDER_KEY } from "./shapes.ts";
import { BUN_ENV, CHAT_PATH, instanceFolder, type Subject, sameForBoth, subjectCores } from "./subject.ts";
import type { Target } from "./wire.ts";

const nginx: Subject = {
  name: "nginx",
  what: "nginx proxy_pass with keep-alive, one worker, no access log: the baseline",
  async start(place) {
    if (Bun.which("nginx") === null) {
      throw new Error(
        "nginx is not installed. On Debian or Ubuntu: apt-get update && apt-get install -y nginx-light",
      );
    }
    const folder = instanceFolder(place, "nginx");
    const ports = { plain: await freePort(), streams: await freePort(), upstream: place.upstreamPort };
    const conf = join(folder, "nginx.conf");
    writeFileSync(conf, nginxConf(folder, ports, Math.min(openFilesLimit(), 65_536)));
    const child = startProcess(["nginx", "-p", folder, "-e", join(folder, "nginx-error.log"), "-c", conf], {
      cores: subjectCores(),
      folder,
      name: "nginx",
    });
    await waitForAnswer(`http://127.0.0.1:${ports.plain}/`, child, "nginx");
    const target = (port: number): Target => ({ port, path: CHAT_PATH, headers: {} });
    return { plain: target(ports.plain), streams: target(ports.streams), pid: child.pid, stop: child.stop };
  },
};

const bareBun: Subject = {
  name: "bare-bun",
  what: "Bun.serve and fetch with a key hash, JSON both ways and a counter: what the runtime costs",
  async start(place) {
    const folder = instanceFolder(place, "bare-bun");
    const port = await freePort();
    const upstream = `http://127.0.0.1:${place.upstreamPort}`;
    const script = resolve(import.meta.dir, "bare-relay.ts");
    const child = startProcess([process.execPath, script, String(port), upstream, "sk-bench-key"], {
      cores: subjectCores(),
      env: BUN_ENV,
      folder,
      name: "bare-bun",
    });
    await waitForAnswer(`http://127.0.0.1:${port}/`, child, "bare-bun");
    return sameForBoth(port, { Authorization: "Bearer sk-bench-key" }, child);
  },
};

const parallama = (off: boolean): Subject => ({
  name: off ? "parallama-off" : "parallama",
  what: off
    ? "Parallama, same binary and route, without key check, journal, metering and log"
    : "Parallama with everything on: key check, durable journal, metering, log",
  start: (place) => startParallama(place, off),
});

const portkey: Subject = {
  name: "portkey",
  what: "Portkey's gateway 1.15.2 from npm on Node, its own defaults, with the last @hono/node-server that it works with",
  async start(place) {
    if (Bun.which("node") === null || Bun.which("npm") === null) {
      throw new Error("node and npm are needed to run Portkey's gateway");
    }
    const home = join(place.folder, "portkey-package");
    const script = join(home, "node_modules/@portkey-ai/gateway/build/start-server.js");
    if (!existsSync(script)) {
      mkdirSync(home, { recursive: true });
      // With @hono/node-server from 1.14.2 on every stream is answered 500 (Portkey-AI/gateway issue 1389).
      const manifest = { private: true, overrides: { "@hono/node-server": "1.14.1" } };
      writeFileSync(join(home, "package.json"), JSON.stringify(manifest));
      const quiet = ["--no-audit", "--no-fund", "--ignore-scripts"];
      run(["npm", "install", "--prefix", home, ...quiet, "@portkey-ai/gateway@1.15.2"], { cwd: home });
    }
    const folder = instanceFolder(place, "portkey");
    const port = await freePort();
    const child = startProcess(["node", script, `--port=${port}`, "--headless"], {
      cores: subjectCores(),
      env: { NODE_ENV: "production" },
      folder,
      name: "portkey",
    });
    await waitForAnswer(`http://127.0.0.1:${port}/`, child, "portkey");
    const headers = {
      Authorization: `Bearer ${PROVIDER_KEY}`,
      "x-portkey-provider": "openai",
      "x-portkey-custom-host": `http://127.0.0.1:${place.upstreamPort}/v1`,
    };
    return sameForBoth(port, headers, child);
  },
};

export const SUBJECTS: Subject[] = [nginx, bareBun, parallama(false), parallama(true), portkey];
export const BASELINE = "nginx";
