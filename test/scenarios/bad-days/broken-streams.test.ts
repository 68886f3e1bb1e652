/**
 * Providers that fail after a stream has begun: the caller has its 200, so it is told by an error event of its protocol,
 * at which its client throws; what was delivered is charged.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ErrorKind } from "../../../src/core/error.ts";
import { concat, fromUtf8, utf8 } from "../../support/bytes.ts";
import type { TestGateway } from "../../support/gateway.ts";
import {
  bytes,
  chunk,
  chunkedHead,
  close,
  end,
  hang,
  head,
  json,
  pause,
  reset,
  type Script,
  type Step,
  wait,
} from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { type Gate, gate, within } from "../../support/within.ts";
import { gatewayAt, nextRow, rowOf, untilIdle } from "./failing-gateway.ts";
import { errorMessage, goodAnswer, partly, payloads, post, STREAMED, type Streamed } from "./spoken.ts";

interface Break {
  readonly name: string;
  /** `seen`: the caller has the first piece of text. Before that, the answer could still have been a 502. */
  readonly reply: (spoken: Streamed, seen: Gate) => Script;
  readonly kind: ErrorKind;
  readonly says: RegExp;
}

const CANNOT = /could not be understood or was cut short/;
const BROKE_OFF = /broke off in the middle/;

/** How many events bring the whole first piece of text, "Hel". */
const first = (spoken: Streamed) => spoken.leading + 1;

function* endless(spoken: Streamed): Generator<Step> {
  yield chunkedHead(200, { "Content-Type": spoken.contentType });
  for (;;) {
    yield chunk(spoken.events[spoken.leading] ?? utf8(""));
    yield pause(20);
  }
}

/** Reads an answer to its end, and says when the first text has come. */
async function readSeeing(response: Response, seen: Gate): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of response.body ?? []) {
    parts.push(part);
    if (parts.length < 50 && fromUtf8(concat(parts)).includes("Hel")) seen.open();
  }
  return concat(parts);
}

const BREAKS: readonly Break[] = [
  {
    name: "resets the connection",
    reply: (spoken, seen) => partly(spoken, first(spoken), [wait(seen), reset()]),
    kind: "provider_broken",
    says: BROKE_OFF,
  },
  {
    name: "closes in good order without its terminal event",
    reply: (spoken) => partly(spoken, first(spoken)),
    kind: "provider_broken",
    says: CANNOT,
  },
  {
    name: "closes inside a chunk",
    reply: (spoken, seen) => partly(spoken, first(spoken), [wait(seen), bytes("ff\r\ndata: {"), close()]),
    kind: "provider_broken",
    says: BROKE_OFF,
  },
  {
    name: "ends in the middle of an event",
    reply: (spoken) =>
      partly(spoken, first(spoken), [
        chunk((spoken.events[first(spoken)] ?? utf8("")).subarray(0, 25)),
        end(),
      ]),
    kind: "provider_broken",
    says: CANNOT,
  },
  {
    name: "promises a length and closes before it",
    reply: (spoken, seen) => [
      head(200, { "Content-Type": spoken.contentType, "Content-Length": "1000000" }),
      ...spoken.events.slice(0, first(spoken)).map((event) => bytes(event)),
      wait(seen),
      close(),
    ],
    kind: "provider_broken",
    says: BROKE_OFF,
  },
  {
    name: "stops in the middle",
    reply: (spoken) => partly(spoken, first(spoken), [hang()]),
    kind: "provider_timeout",
    says: /stopped in the middle/,
  },
  {
    name: "never ends",
    reply: (spoken) => endless(spoken),
    kind: "provider_timeout",
    says: /longest time allowed/,
  },
  {
    name: "sends an event without end",
    reply: function* (spoken) {
      yield* partly(spoken, first(spoken), []);
      for (let i = 0; i < 40; i++) yield chunk(new Uint8Array(1024 * 1024).fill(0x20));
      yield hang();
    },
    kind: "provider_broken",
    says: BROKE_OFF,
  },
];

let upstream: ScriptedUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await scriptedUpstream();
  gateway = await gatewayAt(upstream.url, { first_byte: "30s", idle: "1s", total: "3s" });
});

afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

describe.each(BREAKS)("a provider that $name", ({ reply, kind, says }) => {
  test.each(STREAMED)("$name", async (spoken) => {
    const seen = gate();
    upstream.replyAlways(`POST ${spoken.path}`, () => reply(spoken, seen));
    const response = await post(gateway.url, gateway.userKey, spoken, true);
    expect(response.status).toBe(200);
    const requestId = response.headers.get("x-request-id");
    const received = payloads(spoken, await within("the end", readSeeing(response, seen)));
    // Every event is whole; the text came, then the error, then nothing.
    expect(received.length).toBeGreaterThan(first(spoken));
    expect(errorMessage(spoken.shape, received.at(-1), requestId)).toMatch(says);
    expect(JSON.stringify(received.slice(0, -1))).toContain("Hel");
    const row = await rowOf(gateway, requestId);
    expect(row).toMatchObject({ status: kind === "provider_timeout" ? 504 : 502, error: kind });
    expect(row.usage?.source).toBe("estimated");
    expect(row.usage?.tokens.output).toBeGreaterThan(0);
    expect(row.usage?.tokens.input).toBeGreaterThan(0);
    await untilIdle(gateway);
    // The provider does not work on for nobody.
    await within(
      "the provider's end",
      upstream.requests.at(-1)?.ended ?? Promise.reject(new Error("no request")),
    );
  });

  test.each(STREAMED)("$name: the official client throws", async (spoken) => {
    const seen = gate();
    upstream.replyAlways(`POST ${spoken.path}`, () => reply(spoken, seen));
    const row = nextRow(gateway);
    const reading = spoken.read(gateway.url, gateway.userKey, () => seen.open());
    const thrown = await within(
      "the client",
      reading.then(
        (text) => `read "${text}"`,
        (failure: unknown) => failure,
      ),
    );
    expect(thrown).toBeInstanceOf(Error);
    expect(String(thrown)).toMatch(says);
    expect((await row).error).toBe(kind);
  });
});

describe("an error event of the provider after its 200", () => {
  test.each(STREAMED)("$name: is relayed as it came, and is the end", async (spoken) => {
    upstream.replyAlways(`POST ${spoken.path}`, () =>
      partly(spoken, first(spoken), [chunk(spoken.errorEvent("engine overheated")), end()]),
    );
    const response = await post(gateway.url, gateway.userKey, spoken, true);
    const received = payloads(spoken, new Uint8Array(await response.arrayBuffer()));
    expect(errorMessage(spoken.shape, received.at(-1))).toBe("engine overheated");
    expect(received).toHaveLength(first(spoken) + 1);
    const row = await rowOf(gateway, response.headers.get("x-request-id"));
    expect(row).toMatchObject({ status: 502, error: "provider_rejected" });
    expect(row.usage?.tokens.output).toBeGreaterThan(0);
  });

  test.each(STREAMED)("$name: ends the answer even if the provider keeps it open", async (spoken) => {
    upstream.replyAlways(`POST ${spoken.path}`, () =>
      partly(spoken, first(spoken), [chunk(spoken.errorEvent("engine overheated")), hang()]),
    );
    const reading = spoken.read(gateway.url, gateway.userKey);
    const thrown = await within(
      "the client",
      reading.then(
        (text) => `read "${text}"`,
        (failure: unknown) => failure,
      ),
    );
    expect(String(thrown)).toContain("engine overheated");
    await untilIdle(gateway);
    await upstream.requests.at(-1)?.closedByPeer;
  });

  test.each(STREAMED)("$name: as the first event", async (spoken) => {
    upstream.replyAlways(`POST ${spoken.path}`, () => [
      chunkedHead(200, { "Content-Type": spoken.contentType }),
      chunk(spoken.errorEvent("no capacity")),
      end(),
    ]);
    const reading = spoken.read(gateway.url, gateway.userKey);
    const row = nextRow(gateway);
    const thrown = await within(
      "the client",
      reading.then(
        (text) => `read "${text}"`,
        (failure: unknown) => failure,
      ),
    );
    expect(String(thrown)).toContain("no capacity");
    expect(await row).toMatchObject({ status: 502, error: "provider_rejected" });
  });

  test.each(STREAMED)("$name: as a whole answer with status 200", async (spoken) => {
    const text = spoken.errorEvent("no capacity");
    const document = new TextDecoder()
      .decode(text)
      .replace(/^(event: error\n)?data: /, "")
      .trim();
    upstream.replyAlways(`POST ${spoken.path}`, () => json(200, document));
    const response = await post(gateway.url, gateway.userKey, spoken, false);
    expect(response.status).toBe(502);
    errorMessage(spoken.shape, await response.json(), response.headers.get("x-request-id"));
    expect(await rowOf(gateway, response.headers.get("x-request-id"))).toMatchObject({
      status: 502,
      error: "provider_rejected",
      costNanoUsd: 0n,
    });
  });
});

describe("what is odd and no failure", () => {
  test.each(STREAMED)("$name: a connection that stays open after the terminal event", async (spoken) => {
    upstream.replyAlways(`POST ${spoken.path}`, () => partly(spoken, spoken.events.length, [hang()]));
    expect(await within("the text", spoken.read(gateway.url, gateway.userKey))).toBe("Hello");
    await untilIdle(gateway);
  });

  test.each(STREAMED)("$name: a connection that breaks after the terminal event", async (spoken) => {
    const settled = gate();
    upstream.replyAlways(`POST ${spoken.path}`, () =>
      partly(spoken, spoken.events.length, [wait(settled), reset()]),
    );
    const row = nextRow(gateway);
    void row.then(() => settled.open());
    expect(await within("the text", spoken.read(gateway.url, gateway.userKey))).toBe("Hello");
    expect(await row).toMatchObject({ status: 200, error: null, usage: { tokens: { input: 3, output: 2 } } });
  });

  test.each(STREAMED)(
    "$name: garbage between the events is passed on, and the usage is still read",
    async (spoken) => {
      const rubbish = spoken.shape === "ollama" ? utf8("not json\n") : utf8(": noise\n\ndata: not json\n\n");
      const [last] = spoken.events.slice(-1);
      upstream.replyAlways(`POST ${spoken.path}`, () =>
        partly(spoken, spoken.events.length - 1, [chunk(rubbish), chunk(last ?? utf8("")), end()]),
      );
      const response = await post(gateway.url, gateway.userKey, spoken, true);
      const text = await response.text();
      expect(text).toContain("not json");
      expect(await rowOf(gateway, response.headers.get("x-request-id"))).toMatchObject({
        status: 200,
        error: null,
        usage: { source: "provider", tokens: { input: 3, output: 2 } },
      });
    },
  );

  test.each(STREAMED)("$name: a whole answer where a stream was asked for", async (spoken) => {
    upstream.replyAlways(`POST ${spoken.path}`, () => json(200, spoken.whole));
    const response = await post(gateway.url, gateway.userKey, spoken, true);
    expect(await response.json()).toEqual(spoken.whole);
    expect(await rowOf(gateway, response.headers.get("x-request-id"))).toMatchObject({
      status: 200,
      usage: { source: "provider", tokens: { input: 3, output: 2 } },
    });
  });

  test.each([
    { how: "closes", last: close },
    { how: "resets", last: reset },
  ])(
    "a provider that $how kept-alive connections between two requests costs nobody an error",
    async ({ last }) => {
      await using closing = await scriptedUpstream();
      await using own = await gatewayAt(closing.url);
      for (const spoken of STREAMED) {
        const replies = () => [...goodAnswer(spoken, false).slice(0, -1), last()];
        closing.replyAlways(`POST ${spoken.path}`, replies);
        for (let i = 0; i < 10; i++) {
          const response = await post(own.url, own.userKey, spoken, false);
          expect(response.status).toBe(200);
          expect(await response.json()).toEqual(spoken.whole);
          await closing.idle();
        }
      }
    },
  );
});
