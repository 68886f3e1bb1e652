/** Providers that give no usable answer: the caller gets a status and an error in its own shape, and there is one row. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ErrorKind } from "../../../src/core/error.ts";
import { refusingPort } from "../../support/dead-ends.ts";
import type { TestGateway } from "../../support/gateway.ts";
import {
  bytes,
  close,
  closeEarly,
  garbage,
  hang,
  head,
  json,
  reset,
  type Script,
} from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { within } from "../../support/within.ts";
import { gatewayAt, rowOf, untilIdle } from "./failing-gateway.ts";
import { errorMessage, goodAnswer, isStreamed, post, SPOKEN, type Spoken } from "./spoken.ts";
import { stoppedListener } from "./stopped-listener.ts";

interface Failure {
  readonly name: string;
  readonly reply: (spoken: Spoken, streamed: boolean) => Script;
  readonly status: number;
  readonly kind: ErrorKind;
  /** Words that the caller must read, or must not. */
  readonly says?: RegExp;
  readonly hides?: RegExp;
  /** Only where an answer is, or is not, streamed. */
  readonly only?: "streamed" | "whole";
}

const typeOf = (spoken: Spoken, streamed: boolean) =>
  streamed && isStreamed(spoken) ? spoken.contentType : "application/json";
const HTML = "<!doctype html>\n\n<html><body>Welcome to the hotel's network</body></html>\n\n";
const BROKEN = { status: 502, kind: "provider_broken" } as const;
const MANY_BYTES = 20 * 1024 * 1024;

const FAILURES: readonly Failure[] = [
  { name: "resets before its head", reply: () => [reset()], ...BROKEN },
  { name: "closes without a word", reply: () => [close()], ...BROKEN },
  {
    name: "closes inside its head",
    reply: () => [bytes("HTTP/1.1 200 OK\r\nContent-Ty"), close()],
    ...BROKEN,
  },
  { name: "sends garbage instead of HTTP", reply: () => garbage(), ...BROKEN },
  {
    name: "resets after its head",
    reply: (spoken, streamed) => [
      head(200, { "Content-Type": typeOf(spoken, streamed), "Content-Length": "50" }),
      reset(),
    ],
    ...BROKEN,
  },
  {
    name: "never answers",
    reply: () => [hang()],
    status: 504,
    kind: "provider_timeout",
    says: /did not answer in time/,
  },
  {
    name: "sends a head and no more",
    reply: (spoken, streamed) => [
      head(200, { "Content-Type": typeOf(spoken, streamed), "Content-Length": "50" }),
      hang(),
    ],
    status: 504,
    kind: "provider_timeout",
  },
  {
    name: "promises more bytes than it sends",
    reply: () => closeEarly('{"id":"x","choices":['),
    only: "whole",
    ...BROKEN,
  },
  {
    name: "answers with half a JSON document",
    reply: () => json(200, '{"id":"x","choices":['),
    ...BROKEN,
  },
  { name: "answers with a list", reply: () => json(200, "[1]"), ...BROKEN },
  {
    name: "answers with an HTML page",
    reply: () => json(200, HTML, { "Content-Type": "text/html; charset=utf-8" }),
    hides: /hotel/,
    ...BROKEN,
  },
  {
    name: "answers 200 with an empty body",
    reply: (spoken, streamed) => json(200, "", { "Content-Type": typeOf(spoken, streamed) }),
    ...BROKEN,
  },
  { name: "answers 204", reply: () => [head(204)], ...BROKEN },
  {
    name: "answers with a compressed body that nobody asked for and that is none",
    reply: () => json(200, "not gzip", { "Content-Encoding": "gzip" }),
    ...BROKEN,
  },
  {
    name: "fails with a huge error",
    reply: () =>
      json(500, JSON.stringify({ error: { message: `secret-of-the-provider ${"x".repeat(MANY_BYTES)}` } })),
    status: 502,
    kind: "provider_rejected",
    hides: /secret-of-the-provider/,
  },
  {
    name: "refuses with an HTML page",
    reply: () => json(400, HTML, { "Content-Type": "text/html" }),
    status: 400,
    kind: "provider_rejected",
    hides: /hotel/,
  },
  {
    name: "refuses the gateway's key",
    reply: () => json(401, { error: { message: "Incorrect API key provided: upst***-key" } }),
    status: 502,
    kind: "provider_rejected",
    hides: /Incorrect/,
  },
  {
    name: "limits requests",
    reply: () => json(429, { error: { message: "slow down" } }, { "Retry-After": "7" }),
    status: 429,
    kind: "provider_rejected",
  },
];

let upstream: ScriptedUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await scriptedUpstream();
  gateway = await gatewayAt(upstream.url, { first_byte: "1500ms", total: "4s" });
});

afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

async function expectFailure(
  at: TestGateway,
  spoken: Spoken,
  response: Response,
  { status, kind, says, hides }: Omit<Failure, "name" | "reply">,
): Promise<void> {
  const text = await response.text();
  const requestId = response.headers.get("x-request-id");
  expect({ status: response.status, text: text.slice(0, 300) }).toEqual({ status, text: text.slice(0, 300) });
  const message = errorMessage(spoken.shape, JSON.parse(text), requestId);
  if (says !== undefined) expect(message).toMatch(says);
  if (hides !== undefined) expect(text).not.toMatch(hides);
  expect(text.length).toBeLessThan(2_000);
  const row = await rowOf(at, requestId);
  expect(row).toMatchObject({ status, error: kind, usage: undefined, costNanoUsd: 0n });
  expect(row.attempts).toHaveLength(1);
  expect(row.attempts[0]?.error).toBe(kind);
  await untilIdle(at);
}

describe.each(FAILURES)("a provider that $name", (failure) => {
  for (const spoken of SPOKEN) {
    for (const streamed of isStreamed(spoken) ? [false, true] : [false]) {
      if (failure.only !== undefined && (failure.only === "streamed") !== streamed) continue;
      test(`${spoken.name}, ${streamed ? "streamed" : "whole"}`, async () => {
        upstream.replyAlways(`POST ${spoken.path}`, () => failure.reply(spoken, streamed));
        const response = await post(gateway.url, gateway.userKey, spoken, streamed);
        await expectFailure(gateway, spoken, response, failure);
        if (failure.status === 429) expect(response.headers.get("retry-after")).toBe("7");
        // It was no more than one bad answer: the next request is served.
        upstream.replyAlways(`POST ${spoken.path}`, () => goodAnswer(spoken, streamed));
        const next = await post(gateway.url, gateway.userKey, spoken, streamed);
        expect(next.status).toBe(200);
        await next.arrayBuffer();
      });
    }
  }
});

describe("an address where no provider is", () => {
  const nowhere = [
    { name: "a port that refuses", open: refusingPort, says: /cannot be reached/ },
    { name: "a host that swallows connections", open: stoppedListener, says: /could not be reached in time/ },
  ];
  test.each(nowhere)("$name", async ({ open, says }) => {
    await using deadEnd = await open();
    await using lost = await gatewayAt(deadEnd.url, { connect: "300ms", first_byte: "60s" });
    for (const spoken of SPOKEN) {
      const streamed = isStreamed(spoken);
      const response = await within("an answer", post(lost.url, lost.userKey, spoken, streamed));
      await expectFailure(lost, spoken, response, { status: 502, kind: "provider_unreachable", says });
    }
  });

  test("an address that the network does not route", async () => {
    // TEST-NET-1 (RFC 5737): swallowed, or refused at once by a machine without a network.
    await using lost = await gatewayAt("http://192.0.2.1:9", { connect: "300ms", first_byte: "60s" });
    for (const spoken of SPOKEN) {
      const response = await within("an answer", post(lost.url, lost.userKey, spoken, false));
      await expectFailure(lost, spoken, response, { status: 502, kind: "provider_unreachable" });
    }
  });

  test("a host name that does not exist", async () => {
    await using lost = await gatewayAt("http://no-such-host.invalid", { connect: "5s", first_byte: "60s" });
    const response = await within("an answer", post(lost.url, lost.userKey, SPOKEN[0] as Spoken, false));
    await expectFailure(lost, SPOKEN[0] as Spoken, response, { status: 502, kind: "provider_unreachable" });
  });
});

describe("a provider that redirects", () => {
  test.each([301, 302, 303, 307, 308])(
    "with %i: nobody follows, and no credential goes there",
    async (status) => {
      await using thief = await scriptedUpstream();
      thief.replyAlways("*", () => json(200, {}));
      for (const spoken of SPOKEN) {
        upstream.replyAlways(`POST ${spoken.path}`, () => [
          head(status, { Location: `${thief.url}${spoken.path}`, "Content-Length": "0" }),
        ]);
        const response = await post(gateway.url, gateway.userKey, spoken, isStreamed(spoken));
        await expectFailure(gateway, spoken, response, { ...BROKEN, says: /redirect/ });
      }
      expect(thief.connections.accepted).toBe(0);
    },
  );
});

test("what a provider says of the caller's request reaches the caller as it is", async () => {
  for (const spoken of SPOKEN) {
    const words = { error: { message: "temperature must be at most 2", type: "invalid_request_error" } };
    upstream.replyAlways(`POST ${spoken.path}`, () => json(400, words));
    const response = await post(gateway.url, gateway.userKey, spoken, isStreamed(spoken));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual(words);
    const row = await rowOf(gateway, response.headers.get("x-request-id"));
    expect(row).toMatchObject({ status: 400, error: "provider_rejected", costNanoUsd: 0n });
  }
});
