// The scenarios that look at memory over time. Each subject gets a fresh instance, so that idle means idle.
import { cpuSeconds, memoryOf, openFilesLimit } from "./machine.ts";
import { PlainLoad } from "./plain-load.ts";
import type { Ready, Round, Scenario, Settings } from "./scenario.ts";
import { plainBody, streamBody } from "./shapes.ts";
import { SoakLoad } from "./soak-load.ts";
import { slope, spread } from "./statistics.ts";
import { StreamLoad } from "./stream-load.ts";
import { postRequest } from "./wire.ts";

type Measured = Omit<Round, "subject" | "round">;

const OPEN_STREAMS = 3000;
const EVENT_EVERY_MS = 1000;

/** A gateway has two sockets for each stream. */
const streamsAllowed = (wanted: number): number => Math.min(wanted, Math.floor((openFilesLimit() - 500) / 2));

async function settle(pid: number, ms: number): Promise<number> {
  // The lowest of several readings: what is left when nothing is going on.
  let lowest = Number.POSITIVE_INFINITY;
  for (const until = performance.now() + ms; performance.now() < until; ) {
    await Bun.sleep(250);
    lowest = Math.min(lowest, memoryOf(pid).rssMb);
  }
  return lowest;
}

/** Some ordinary traffic, so that code is compiled and buffers are made before "idle" is read a second time. */
async function warmUp(ready: Ready, settings: Settings): Promise<void> {
  const target = ready.started.plain;
  const request = postRequest(target, plainBody(200));
  const load = new PlainLoad({ target, request, bodyBytes: ready.checked.bodyBytes, connections: 16 });
  await load.start();
  await Bun.sleep(settings.quick ? 500 : 2000);
  await load.stop();
  const streams = ready.started.streams;
  const short = new StreamLoad(streams, postRequest(streams, streamBody(20, 10)), 20);
  await short.start(50);
  await short.finish(30_000);
}

async function measureMemory(ready: Ready, settings: Settings): Promise<Measured> {
  const { pid, streams: target } = ready.started;
  const fresh = await settle(pid, 2000);
  await warmUp(ready, settings);
  const idle = await settle(pid, 3000);
  const idlePss = memoryOf(pid).pssMb;
  const streams = streamsAllowed(settings.quick ? OPEN_STREAMS / 10 : OPEN_STREAMS);
  // Long enough that the first stream is still open when the last has begun and memory has been read.
  const deltas = settings.quick ? 10 : 25;
  const load = new StreamLoad(target, postRequest(target, streamBody(deltas, EVENT_EVERY_MS)), deltas);
  await load.start(streams);
  const patience = performance.now() + 15_000;
  while (load.begun < streams && performance.now() < patience) await Bun.sleep(50);
  await Bun.sleep(3000);
  const openAtReading = load.open;
  const open = memoryOf(pid);
  await load.finish(120_000);
  const closing = performance.now();
  // Memory need not come back at once: wait for it, at most a minute, and say how long it took.
  const limit = settings.quick ? 5_000 : 60_000;
  let after = memoryOf(pid).rssMb;
  let backAfter = Number.NaN;
  while (performance.now() - closing < limit) {
    after = memoryOf(pid).rssMb;
    if (after <= idle * 1.1) {
      backAfter = (performance.now() - closing) / 1000;
      break;
    }
    await Bun.sleep(250);
  }
  return {
    faults: {
      not200: load.counts.not200,
      wrong: load.counts.wrong,
      notOpenAtReading: streams - openAtReading,
    },
    values: {
      "idle MB": fresh,
      "idle warm MB": idle,
      "idle warm PSS MB": idlePss,
      streams: openAtReading,
      "open MB": open.rssMb,
      "KB/stream": ((open.rssMb - idle) * 1024) / openAtReading,
      "closed MB": after,
      "closed/idle warm": after / idle,
      "closed/idle": after / fresh,
      "back within 10 % after s": backAfter,
    },
  };
}

const memory: Scenario = {
  name: "memory",
  title: `Memory: idle, ${OPEN_STREAMS} open streams with an event a second each, and after they closed`,
  metrics: [
    ...["idle MB", "idle warm MB", "idle warm PSS MB", "streams", "open MB", "KB/stream", "closed MB"],
    ...["closed/idle warm", "closed/idle", "back within 10 % after s"],
  ],
  added: [],
  fresh: true,
  measure: measureMemory,
};

const SOAK_REQUESTS = 100_000;
const SAMPLES = 100;

async function upstreamStats(settings: Settings): Promise<{ connections: number; streams: number }> {
  const answer = await fetch(`http://127.0.0.1:${settings.place.upstreamPort}/stats`, { keepalive: false });
  return (await answer.json()) as { connections: number; streams: number };
}

async function measureSoak(ready: Ready, settings: Settings): Promise<Measured> {
  const { pid } = ready.started;
  const requests = settings.quick ? SOAK_REQUESTS / 20 : SOAK_REQUESTS;
  const load = new SoakLoad(ready.started, ready.checked.bodyBytes);
  const points: { x: number; y: number }[] = [];
  const cpuBefore = cpuSeconds(pid);
  const begin = performance.now();
  await load.run(requests, Math.ceil(requests / SAMPLES), (done) => {
    points.push({ x: done, y: memoryOf(pid).rssMb });
  });
  const seconds = (performance.now() - begin) / 1000;
  const used = cpuSeconds(pid) - cpuBefore;
  const patience = performance.now() + 30_000;
  while ((await upstreamStats(settings)).streams > 0 && performance.now() < patience) await Bun.sleep(100);
  const left = await upstreamStats(settings);
  const part = (from: number, to: number): number =>
    spread(points.slice(Math.floor(points.length * from), Math.floor(points.length * to)).map((p) => p.y))
      .median;
  const { completed, aborted, ...faults } = load.counts;
  settings.say(
    `    RSS MB over the run: ${points
      .filter((_, i) => i % 10 === 0)
      .map((p) => p.y.toFixed(0))
      .join(" ")}`,
  );
  return {
    faults: { ...faults, upstreamStreamsLeftOpen: left.streams },
    values: {
      completed,
      aborted,
      "RSS MB 10-30 %": part(0.1, 0.3),
      "RSS MB last 20 %": part(0.8, 1),
      // A line through the second half: the first is also the warming up.
      "KB/1000 req": slope(points.slice(points.length >> 1)) * 1024 * 1000,
      "req/s": (completed + aborted) / seconds,
      "CPU µs/req": (used * 1e6) / (completed + aborted),
      "idle after MB": await settle(pid, 5000),
    },
  };
}

const soak: Scenario = {
  name: "soak",
  title: `${SOAK_REQUESTS} requests over 64 connections, a tenth of them streams, a tenth aborted mid-way`,
  metrics: [
    ...["RSS MB 10-30 %", "RSS MB last 20 %", "KB/1000 req", "idle after MB"],
    ...["completed", "aborted", "req/s", "CPU µs/req"],
  ],
  added: [],
  fresh: true,
  measure: measureSoak,
};

export const FRESH_SCENARIOS: Scenario[] = [memory, soak];
