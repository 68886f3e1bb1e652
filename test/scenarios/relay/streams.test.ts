import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Journal } from "../../../src/engine/ports.ts";
import { concat, fromUtf8, rechunk, utf8 } from "../../support/bytes.ts";
import { fixture } from "../../support/fixtures.ts";
import { startGateway } from "../../support/gateway.ts";
import { property } from "../../support/json-access.ts";
import { replay } from "../../support/replay.ts";
import {
  chunk,
  chunkedHead,
  close,
  end,
  openAiSse,
  reset,
  type Step,
  stream,
  wait,
} from "../../support/script.ts";
import { parseSse } from "../../support/sse.ts";
import { gate } from "../../support/within.ts";
import { bucketsOf, call, costByPrice, type Relay, ROUTES, startRelay, writtenRows } from "./relay-setup.ts";

let relay: Relay;
beforeAll(async () => {
  relay = await startRelay(["m"]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
});

const STREAMED = utf8('{"model":"m","max_tokens":9,"messages":[],"stream":true}');
const STREAMS = [
  { protocol: "openai-chat", answer: "openai-chat/text-stream-no-usage" },
  { protocol: "anthropic-messages", answer: "anthropic-messages/text-stream-ping" },
  { protocol: "ollama-chat", answer: "ollama/chat-stream" },
] as const;

describe("an answer that breaks off", () => {
  const ends: readonly (readonly [string, readonly Step[]])[] = [
    ["by a reset", [reset()]],
    ["by a close", [close()]],
    ["in good order, but without its last event", [{ do: "end" }]],
  ];
  for (const { protocol, answer } of STREAMS) {
    for (const [how, afterwards] of ends) {
      test(`${protocol}, ${how}: what came is delivered and charged, and the caller is told`, async () => {
        const { upstream, gateway } = relay;
        const pieces = fixture(answer).chunks.slice(0, 4);
        const type = fixture(answer).headers["content-type"] ?? "";
        const all = concat(pieces);
        // What has not been read when a connection breaks is lost, so it breaks when everything has come.
        const read = gate();
        upstream.reply("*", goingOn(stream(pieces, type), [wait(read), ...afterwards]));
        const arrived = (bytes: number) => (bytes >= all.length ? read.open() : undefined);
        const got = await call(gateway, { path: ROUTES[protocol], body: STREAMED, arrived });
        expect(got.status).toBe(200);
        const text = fromUtf8(got.body);
        const delivered = fromUtf8(all);
        expect(text.startsWith(delivered)).toBe(true);
        const last = text.slice(delivered.length);
        expect(lastError(protocol, last)).toMatch(/broke off|cut short/);
        const [row] = got.rows;
        expect(row).toMatchObject({ status: 502, error: "provider_broken", response_bytes: got.body.length });
        expect(row?.usage_source).toBe("estimated");
        expect(row?.output_tokens).toBeGreaterThan(0);
        expect(BigInt(row?.cost_nano_usd ?? 0)).toBe(costByPrice(row === undefined ? {} : bucketsOf(row)));
      });
    }
    test(`${protocol}, before its first byte: an error with a status, and nothing charged`, async () => {
      const type = fixture(answer).headers["content-type"] ?? "";
      for (const [, afterwards] of ends) {
        relay.upstream.reply("*", [chunkedHead(200, { "Content-Type": type }), ...afterwards]);
        const got = await call(relay.gateway, { path: ROUTES[protocol], body: STREAMED });
        expect(got.status).toBe(502);
        expect(got.rows).toMatchObject([{ status: 502, error: "provider_broken", cost_nano_usd: 0 }]);
      }
    });
  }
});

/** A stream that goes on in another way than by its end. */
function goingOn(steps: readonly Step[], afterwards: readonly Step[]): Step[] {
  return [...steps.slice(0, -1), ...afterwards];
}

function lastError(protocol: string, text: string): unknown {
  if (protocol === "ollama-chat") return property(JSON.parse(text), "error");
  const [event, ...more] = parseSse(utf8(text));
  expect([event?.event, more]).toEqual([protocol === "anthropic-messages" ? "error" : undefined, []]);
  return property(property(JSON.parse(event?.data ?? "null"), "error"), "message");
}

describe("the last byte", () => {
  for (const { protocol, answer } of STREAMS) {
    test(`${protocol}: comes while the provider still holds its connection open, and the row is there`, async () => {
      const { upstream, gateway } = relay;
      const { chunks, headers, body } = fixture(answer);
      const hold = gate();
      upstream.reply("*", goingOn(stream(chunks, headers["content-type"] ?? ""), [wait(hold), end()]));
      const response = await send(gateway.url, gateway.userKey, ROUTES[protocol]);
      await readBytes(response, body.length);
      expect(writtenRows(gateway, response.headers.get("x-request-id") ?? "")).toMatchObject([
        { status: 200 },
      ]);
      hold.open();
    });

    test(`${protocol}: waits until the row is durable`, async () => {
      const durable = gate();
      const appending = gate();
      const journal: Journal = {
        append: async () => {
          appending.open();
          await durable.opened;
        },
        refusal: () => undefined,
      };
      const { chunks, headers, body } = fixture(answer);
      const lastLength = chunks.at(-1)?.length ?? 0;
      const yaml = `providers: { up-ollama: { base_url: "${relay.upstream.url}", type: ollama, models: [m] } }`;
      await using gateway = await startGateway({ yaml, overrides: { journal } });
      const read = gate();
      const last = chunk(chunks.at(-1) ?? utf8("?"));
      const type = headers["content-type"] ?? "";
      relay.upstream.reply("*", goingOn(stream(chunks.slice(0, -1), type), [wait(read), last, end()]));
      const response = await send(gateway.url, gateway.userKey, ROUTES[protocol]);
      const reader = await readBytes(response, body.length - lastLength);
      read.open();
      await appending.opened;
      const ending = reader.read().then(({ value }) => value?.length ?? 0);
      expect(await Promise.race([ending, turns(50)])).toBe("nothing yet");
      durable.open();
      expect(await ending).toBe(lastLength);
      await reader.cancel();
    });
  }
});

function send(url: string, key: string, path: string): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return fetch(url + path, { method: "POST", headers, body: new Uint8Array(STREAMED) });
}

/** Reads exactly so many bytes. */
async function readBytes(response: Response, count: number) {
  const reader = response.body?.getReader() ?? expect.unreachable("no body");
  let length = 0;
  while (length < count)
    length += (await reader.read()).value?.length ?? expect.unreachable("the body ended early");
  expect(length).toBe(count);
  return reader;
}

async function turns(count: number): Promise<"nothing yet"> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  return "nothing yet";
}

describe("usage that only the gateway asked for", () => {
  const chunkOf = <T extends object>(rest: T) => ({ id: "c", object: "chat.completion.chunk", ...rest });
  const text = chunkOf({
    choices: [{ index: 0, delta: { content: "ä" }, finish_reason: null }],
    usage: null,
  });
  const finish = { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] };
  const usage = { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 };
  const cases = [
    {
      name: "its own chunk is taken out",
      sent: [text, chunkOf({ ...finish, usage: null }), chunkOf({ choices: [], usage })],
      seen: [chunkOf({ choices: text.choices }), chunkOf(finish)],
    },
    {
      name: "on the chunk that finishes it stays, for the chunk must",
      sent: [text, chunkOf({ ...finish, usage })],
      seen: [chunkOf({ choices: text.choices }), chunkOf({ ...finish, usage })],
    },
    {
      name: "a chunk without choices that carries something else stays",
      sent: [
        chunkOf({ choices: [], prompt_filter_results: [] }),
        chunkOf(finish),
        chunkOf({ choices: [], usage }),
      ],
      seen: [chunkOf({ choices: [], prompt_filter_results: [] }), chunkOf(finish)],
    },
    {
      name: "text that looks like the field stays",
      sent: [
        chunkOf({ choices: [{ index: 0, delta: { content: ',"usage":null' } }], usage: null }),
        chunkOf(finish),
        chunkOf({ choices: [], usage }),
      ],
      seen: [chunkOf({ choices: [{ index: 0, delta: { content: ',"usage":null' } }] }), chunkOf(finish)],
    },
    {
      name: "a field of that name further in stays",
      sent: [
        chunkOf({ x: { a: 1, usage: null }, choices: [], usage: null }),
        chunkOf(finish),
        chunkOf({ choices: [], usage }),
      ],
      seen: [chunkOf({ x: { a: 1, usage: null }, choices: [] }), chunkOf(finish)],
    },
  ];
  for (const { name, sent, seen } of cases) {
    test(name, async () => {
      relay.upstream.reply("*", openAiSse(sent, { split: { seed: 5 } }));
      const got = await call(relay.gateway, { path: "/v1/chat/completions", body: STREAMED });
      const events = parseSse(got.body).map(({ data }) => (data === "[DONE]" ? data : JSON.parse(data)));
      expect(events).toEqual([...seen, "[DONE]"]);
      expect(got.rows).toMatchObject([{ usage_source: "provider", input_tokens: 5, output_tokens: 2 }]);
    });
  }

  for (const [name, spaced] of [
    ["with blanks", 'data: {"choices": [], "usage": null, "x": 1}\n\n'],
    ["as its first field", 'data: {"usage":null,"choices":[],"x":1}\n\n'],
    ["as its last field", 'data: {"choices":[],"x":1 , "usage" : null }\n\n'],
  ] as const) {
    test(`a chunk written ${name} loses its null as well`, async () => {
      const pieces = [
        utf8(spaced),
        utf8(`data: ${JSON.stringify(chunkOf(finish))}\n\n`),
        utf8("data: [DONE]\n\n"),
      ];
      relay.upstream.reply("*", stream(pieces, "text/event-stream"));
      const got = await call(relay.gateway, { path: "/v1/chat/completions", body: STREAMED });
      expect(JSON.parse(parseSse(got.body)[0]?.data ?? "")).toEqual({ choices: [], x: 1 });
    });
  }

  test("is asked for beside the caller's other stream options, and its own refusal is overruled", async () => {
    for (const [options, expected] of [
      ["{}", { include_usage: true }],
      ["null", { include_usage: true }],
      [
        '{"include_usage":false,"include_obfuscation":false}',
        { include_usage: true, include_obfuscation: false },
      ],
    ] as const) {
      relay.upstream.reply("*", replay(fixture("openai-chat/text-stream-usage")));
      const body = utf8(`{"model":"m","messages":[],"stream":true , "stream_options": ${options}, "x":"ü"}`);
      const got = await call(relay.gateway, { path: "/v1/chat/completions", body });
      expect(fromUtf8(got.body)).not.toContain('"usage"');
      const asked = relay.upstream.requests.at(-1)?.text() ?? "";
      expect(property(JSON.parse(asked), "stream_options")).toEqual(expected);
      expect(asked.startsWith('{"model":"m","messages":[],"stream":true , "stream_options": {')).toBe(true);
      expect(asked.endsWith(', "x":"ü"}')).toBe(true);
    }
  });
});

test("a stream whose lines end in CR LF, with comments, comes through byte for byte", async () => {
  const body = fromUtf8(fixture("anthropic-messages/text-stream-ping").body);
  const lines = utf8(`: hello\r\n\r\n${body.replaceAll("\n", "\r\n")}`);
  for (const split of ["every-byte", "one-piece", { seed: 3 }] as const) {
    const steps = rechunk(lines, split).map((piece) => chunk(piece));
    relay.upstream.reply("*", [
      chunkedHead(200, { "Content-Type": "text/event-stream" }),
      ...steps,
      { do: "end" },
    ]);
    const got = await call(relay.gateway, { path: "/v1/messages", body: STREAMED });
    expect(fromUtf8(got.body)).toBe(fromUtf8(lines));
    expect(got.rows).toMatchObject([
      { status: 200, usage_source: "provider", input_tokens: 29, output_tokens: 19 },
    ]);
  }
});
