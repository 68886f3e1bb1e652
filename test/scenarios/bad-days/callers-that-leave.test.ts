/** Callers that go away: the provider is told at once, and what was delivered is written down. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { fromUtf8, utf8 } from "../../support/bytes.ts";
import type { TestGateway } from "../../support/gateway.ts";
import { type RawClient, rawClient, requestBytes } from "../../support/raw-client.ts";
import { chunk, chunkedHead, end, hang, json, type Step, wait } from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { gate, within } from "../../support/within.ts";
import { gatewayAt, nextRow, untilIdle } from "./failing-gateway.ts";
import {
  bodyOf,
  goodAnswer,
  isStreamed,
  partly,
  SPOKEN,
  type Spoken,
  STREAMED,
  type Streamed,
} from "./spoken.ts";

const WAYS = [
  { way: "closes", leave: (client: RawClient) => client.close() },
  { way: "resets", leave: async (client: RawClient) => client.reset() },
] as const;

let upstream: ScriptedUpstream;
let gateway: TestGateway;

beforeEach(async () => {
  upstream = await scriptedUpstream();
  gateway = await gatewayAt(upstream.url);
});

afterEach(async () => {
  await gateway.close();
  await upstream.close();
});

async function ask(spoken: Spoken, streamed: boolean): Promise<RawClient> {
  const client = await rawClient(gateway.url);
  const headers = { Authorization: `Bearer ${gateway.userKey}` };
  await client.write(requestBytes({ path: spoken.path, headers, body: bodyOf(spoken, streamed) }));
  return client;
}

/** The part of a streamed answer that carries "Hel". */
const first = (spoken: Streamed) => spoken.leading + 1;

describe.each(WAYS)("a caller that $way", ({ leave }) => {
  for (const spoken of SPOKEN) {
    for (const streamed of isStreamed(spoken) ? [false, true] : [false]) {
      test(`before the answer begins: ${spoken.name}, ${streamed ? "streamed" : "whole"}`, async () => {
        upstream.replyAlways("*", [hang()]);
        const row = nextRow(gateway);
        const client = await ask(spoken, streamed);
        const asked = await upstream.next();
        await leave(client);
        await within("the provider to be told", asked.closedByPeer);
        expect(await row).toMatchObject({
          status: 499,
          error: "client_closed",
          responseBytes: 0,
          costNanoUsd: 0n,
        });
        await untilIdle(gateway);
      });
    }

    test(`inside a whole answer: ${spoken.name}`, async () => {
      const answer = json(200, spoken.whole);
      const [begin, body] = answer;
      if (body?.do !== "bytes" || begin === undefined) throw new Error("a whole answer is a head and a body");
      const half: Step[] = [begin, { do: "bytes", bytes: body.bytes.subarray(0, 10) }, hang()];
      upstream.replyAlways("*", half);
      const row = nextRow(gateway);
      const client = await ask(spoken, false);
      const asked = await upstream.next();
      await leave(client);
      await within("the provider to be told", asked.closedByPeer);
      expect(await row).toMatchObject({ status: 499, error: "client_closed" });
      await untilIdle(gateway);
    });
  }

  test.each(STREAMED)("in the middle of a stream: $name", async (spoken) => {
    upstream.replyAlways("*", () => partly(spoken, first(spoken), [hang()]));
    const row = nextRow(gateway);
    const client = await ask(spoken, true);
    const asked = await upstream.next();
    await client.readUntil("Hel");
    await leave(client);
    await within("the provider to be told", asked.closedByPeer);
    const written = await row;
    expect(written).toMatchObject({ status: 499, error: "client_closed", usage: { source: "estimated" } });
    expect(written.usage?.tokens.output).toBe(1);
    expect(written.responseBytes).toBeGreaterThan(0);
    await untilIdle(gateway);
  });

  test.each(STREAMED)("between two events of a running stream: $name", async (spoken) => {
    const event = spoken.events[spoken.leading];
    if (event === undefined) throw new Error("no event with text");
    upstream.replyAlways("*", async function* () {
      yield chunkedHead(200, { "Content-Type": spoken.contentType });
      for (;;) {
        yield chunk(event);
        yield { do: "pause", turns: 5 };
      }
    });
    const row = nextRow(gateway);
    const client = await ask(spoken, true);
    const asked = await upstream.next();
    for (let i = 0; i < 10; i++) await client.readUntil("Hel");
    await leave(client);
    await within("the provider to be told", asked.closedByPeer);
    const written = await row;
    expect(written).toMatchObject({ status: 499, error: "client_closed" });
    expect(written.usage?.tokens.output).toBeGreaterThanOrEqual(10);
    await untilIdle(gateway);
  });

  test.each(STREAMED)("after the terminal event: $name, which is a complete answer", async (spoken) => {
    const left = gate();
    const last = spoken.events.at(-1);
    if (last === undefined) throw new Error("no terminal event");
    upstream.replyAlways("*", () => partly(spoken, spoken.events.length, [wait(left), end()]));
    const row = nextRow(gateway);
    const client = await ask(spoken, true);
    await client.readUntil(last);
    await leave(client);
    left.open();
    expect(await row).toMatchObject({ status: 200, error: null, usage: { tokens: { input: 3, output: 2 } } });
    await untilIdle(gateway);
  });

  test("a hundred at once leave nothing behind", async () => {
    const spoken = STREAMED[0] as Streamed;
    upstream.replyAlways("*", () => partly(spoken, first(spoken), [hang()]));
    const clients = await Promise.all(Array.from({ length: 100 }, () => ask(spoken, true)));
    await Promise.all(clients.map((client) => client.readUntil("Hel")));
    await Promise.all(clients.map(leave));
    const rows = await within("a hundred rows", gateway.rowsAt(100));
    expect(rows).toHaveLength(100);
    expect(new Set(rows.map((row) => row.id)).size).toBe(100);
    expect(rows.every((row) => row.status === 499 && row.usage?.tokens.output === 1)).toBe(true);
    await untilIdle(gateway);
    await upstream.idle();
  });
});

describe("a caller that sends no more and still reads", () => {
  test.each(STREAMED)("$name", async (spoken) => {
    const halfClosed = gate();
    upstream.replyAlways("*", async () => {
      await halfClosed.opened;
      return goodAnswer(spoken, false);
    });
    const row = nextRow(gateway);
    const client = await ask(spoken, false);
    await upstream.next();
    client.halfClose();
    halfClosed.open();
    // Bun takes the end of what a caller sends for its leaving. Whatever it is, there is one row and nothing hangs.
    const written = await within("the row", row);
    expect([200, 499]).toContain(written.status);
    await untilIdle(gateway);
    await client.close();
  });
});

describe("a caller that stops reading", () => {
  test.each(STREAMED)(
    "$name: is not waited for without end, and is told when it comes back",
    async (spoken) => {
      await using impatient = await gatewayAt(upstream.url, { idle: "1s" });
      const event = utf8(
        fromUtf8(spoken.events[spoken.leading] ?? utf8("")).replace("Hel", "x".repeat(64 * 1024)),
      );
      upstream.replyAlways("*", function* () {
        yield chunkedHead(200, { "Content-Type": spoken.contentType });
        for (;;) yield chunk(event);
      });
      const row = nextRow(impatient);
      await using client = await rawClient(impatient.url);
      const headers = { Authorization: `Bearer ${impatient.userKey}` };
      await client.write(requestBytes({ path: spoken.path, headers, body: bodyOf(spoken, true) }));
      const asked = await upstream.next();
      await client.readUntil("\r\n\r\n");
      client.stopReading();
      await within("the provider to be told", asked.closedByPeer);
      const written = await row;
      expect(written).toMatchObject({ status: 499, error: "client_closed" });
      expect(written.usage?.tokens.output).toBeGreaterThan(0);
      await untilIdle(impatient);
      client.startReading();
      await client.readUntil("The client stopped reading its answer.", 64 * 1024 * 1024);
      await client.readUntil("\r\n0\r\n\r\n");
    },
  );

  test("and the connection's own time-out is off only while the caller waits", async () => {
    for (const spoken of SPOKEN) {
      for (const streamed of [false, true]) {
        upstream.replyAlways("*", () => goodAnswer(spoken, streamed));
        const seconds: number[] = [];
        const server = { timeout: (_: Request, value: number) => seconds.push(value) };
        const request = new Request(`http://gateway.test${spoken.path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${gateway.userKey}` },
          body: JSON.stringify(bodyOf(spoken, streamed)),
        });
        const response = await gateway.app.router.fetch(request, server);
        await response.arrayBuffer();
        expect(seconds).toEqual([0, 60]);
      }
    }
  });
});
