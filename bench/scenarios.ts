// The interleaved scenarios: non-streaming at several sizes and connections, latency at a fixed rate, streams.
import { measureWindow } from "./measure.ts";
import { PlainLoad, type PlainOptions } from "./plain-load.ts";
import type { Ready, Round, Scenario, Settings } from "./scenario.ts";
import { plainBody, streamBody } from "./shapes.ts";
import { StreamLoad } from "./stream-load.ts";
import { postRequest } from "./wire.ts";

type Measured = Omit<Round, "subject" | "round">;

const SIZES: [label: string, bytes: number][] = [
  ["0.2k", 200],
  ["10k", 10_000],
  ["400k", 400_000],
];
const CONNECTIONS = [1, 64, 1000];

/** A window holds at least so many answers, and two for each connection: a slow subject gets a longer one. */
const MIN_ANSWERS = 100;
const MAX_WINDOW_MS = 20_000;

async function until(condition: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition() && performance.now() < deadline) await Bun.sleep(20);
}

async function measurePlain(
  ready: Ready,
  settings: Settings,
  options: Partial<PlainOptions> & { bytes: number },
) {
  const { plain } = ready.started;
  const connections = options.connections ?? 64;
  const load = new PlainLoad({
    target: plain,
    request: postRequest(plain, plainBody(options.bytes)),
    bodyBytes: ready.checked.bodyBytes,
    connections,
    ...(options.rate === undefined ? {} : { rate: options.rate }),
  });
  const enough = Math.max(MIN_ANSWERS, options.rate === undefined ? 2 * connections : 0);
  await load.start();
  await Bun.sleep(settings.warmMs);
  // All connections ask at the same moment; the first wave of answers is not what comes after it.
  await until(() => load.counts.completed >= enough / 2, MAX_WINDOW_MS);
  load.mark();
  const window = await measureWindow(ready.started.pid, async () => {
    const begin = performance.now();
    await Bun.sleep(settings.windowMs);
    while (load.counts.completed < MIN_ANSWERS && performance.now() - begin < MAX_WINDOW_MS)
      await Bun.sleep(100);
  });
  const { completed, ...faults } = load.counts;
  const latency = load.latency();
  await load.stop();
  return {
    window,
    faults: { ...faults, noAnswers: completed === 0 ? 1 : 0 },
    values: {
      "CPU µs/req": (window.cpuSeconds * 1e6) / completed,
      "req/s": completed / window.seconds,
      "p50 µs": latency.p50Us,
      "p99 µs": latency.p99Us,
      "core %": window.utilisation * 100,
      "RSS MB": window.rssMb,
    },
  } satisfies Measured;
}

const plainScenarios: Scenario[] = SIZES.flatMap(([label, bytes]) =>
  CONNECTIONS.map((connections) => ({
    name: `plain-${label}-c${connections}`,
    title: `Non-streaming, ${label.replace("k", " KB")} prompt, ${connections} connection${connections === 1 ? "" : "s"}, closed loop`,
    metrics: ["CPU µs/req", "req/s", "p50 µs", "p99 µs", "core %"],
    // With many connections in closed loop latency says only how many were waiting in line.
    added: connections === 1 ? ["p50 µs", "p99 µs"] : [],
    fresh: false,
    measure: (ready, settings) => measurePlain(ready, settings, { bytes, connections }),
  })),
);

const LATENCY_RATE = 500;

const latency: Scenario = {
  name: "latency",
  title: `Non-streaming, 0.2 KB prompt, ${LATENCY_RATE} requests a second whatever the answers do, up to 64 connections`,
  metrics: ["p50 µs", "p99 µs", "CPU µs/req", "req/s", "core %"],
  added: ["p50 µs", "p99 µs"],
  fresh: false,
  measure: (ready, settings) =>
    measurePlain(ready, settings, { bytes: 200, connections: 64, rate: LATENCY_RATE }),
};

/** Time after the window for streams to end, in events; the stream must outlast the window. */
const SLACK_MS = 1500;
/** What a slow subject manages; streams that ended while others were still being opened would spoil the window. */
const OPENED_PER_SECOND = 300;

async function measureStreams(
  ready: Ready,
  settings: Settings,
  streams: number,
  everyMs: number,
): Promise<Measured> {
  const openingMs = (streams / OPENED_PER_SECOND) * 1000;
  const windowMs = Math.max(settings.windowMs, everyMs * 20);
  const deltas = Math.ceil((openingMs + settings.warmMs + windowMs + SLACK_MS) / everyMs);
  const target = ready.started.streams;
  const load = new StreamLoad(target, postRequest(target, streamBody(deltas, everyMs)), deltas);
  await load.start(streams);
  const patience = performance.now() + 30_000;
  while (load.begun < streams && load.counts.not200 === 0 && performance.now() < patience)
    await Bun.sleep(10);
  await Bun.sleep(settings.warmMs);
  const before = { ...load.counts };
  const window = await measureWindow(ready.started.pid, () => Bun.sleep(windowMs));
  const events = load.counts.events - before.events;
  const reads = load.counts.reads - before.reads;
  const endedEarly = streams - load.open;
  await load.finish(120_000);
  const { not200, wrong, complete } = load.counts;
  return {
    window,
    faults: { not200, wrong, incomplete: streams - complete },
    values: {
      "CPU µs/event": (window.cpuSeconds * 1e6) / events,
      "events/s": events / window.seconds,
      "events/read": events / reads,
      // More than none: the subject could not keep up, and its window holds the ends of streams too.
      "ended early": endedEarly,
      "core %": window.utilisation * 100,
      "RSS MB": window.rssMb,
    },
  };
}

const STREAM_RATE = 100;

/** Streams asked for one after the other, so that none waits for another one's start. */
async function measureFirstEvent(ready: Ready, settings: Settings): Promise<Measured> {
  const deltas = 5;
  const target = ready.started.streams;
  const load = new StreamLoad(target, postRequest(target, streamBody(deltas, 20)), deltas);
  const streams = Math.ceil((settings.windowMs / 1000) * STREAM_RATE);
  const window = await measureWindow(ready.started.pid, async () => {
    const opening: Promise<void>[] = [];
    for (let opened = 0; opened < streams; opened++) {
      opening.push(load.start(1));
      await Bun.sleep(1000 / STREAM_RATE);
    }
    await Promise.all(opening);
    await load.finish(30_000);
  });
  const { not200, wrong, complete } = load.counts;
  return {
    window,
    faults: { not200, wrong, incomplete: streams - complete },
    values: {
      "first event p50 ms": load.firstEvent(0.5),
      "first event p99 ms": load.firstEvent(0.99),
      "CPU µs/stream": (window.cpuSeconds * 1e6) / streams,
      "core %": window.utilisation * 100,
    },
  };
}

const firstEvent: Scenario = {
  name: "first-event",
  title: `Short streams, ${STREAM_RATE} a second: time from the request to the first event, which the upstream sends at once`,
  metrics: ["first event p50 ms", "first event p99 ms", "CPU µs/stream", "core %"],
  added: ["first event p50 ms", "first event p99 ms"],
  fresh: false,
  measure: measureFirstEvent,
};

const STREAMS: [streams: number, everyMs: number][] = [
  [1, 5],
  [64, 20],
  [200, 20],
  [1000, 50],
];

const streamScenarios: Scenario[] = STREAMS.map(([streams, everyMs]) => ({
  name: `stream-${streams}`,
  title: `${streams} stream${streams === 1 ? "" : "s"}, one event each ${everyMs} ms per stream, events one by one`,
  metrics: ["CPU µs/event", "events/s", "events/read", "ended early", "core %"],
  added: [],
  fresh: false,
  measure: (ready, settings) => measureStreams(ready, settings, streams, everyMs),
}));

export const ROUND_SCENARIOS: Scenario[] = [...plainScenarios, latency, firstEvent, ...streamScenarios];
