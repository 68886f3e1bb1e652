import { describe, expect, test } from "bun:test";
import { fromUtf8, type Split, utf8 } from "../support/bytes.ts";
import { fixtures, knownTokens, type WireFixture } from "../support/fixtures.ts";
import { type Recording, recordings, recordingsSkipReason } from "../support/recordings.ts";
import { PROTOCOLS, readerOf, readStream } from "./protocol-setup.ts";

const SPLITS: readonly Split[] = [
  "as-is",
  "one-piece",
  "every-byte",
  "inside-utf8",
  { seed: 1 },
  { seed: 2, max: 7 },
];
const answered = fixtures().filter(({ protocol, status }) => PROTOCOLS.has(protocol) && status === 200);
const recorded = recordings().filter(({ protocol, status }) => PROTOCOLS.has(protocol) && status === 200);

describe("an answer of the fixtures", () => {
  for (const one of answered.filter(({ stream }) => stream)) {
    test(`${one.id}: handed on unchanged, and understood, however it is cut`, () => {
      for (const split of SPLITS) {
        const reader = readerOf(one.protocol);
        expect(fromUtf8(readStream(reader, one.chunks, split))).toBe(fromUtf8(one.body));
        expectFacts(one, reader.facts());
        expect(reader.ended).toBe(true);
      }
    });
  }

  for (const one of answered.filter(({ stream }) => !stream)) {
    test(`${one.id}: handed on unchanged, and understood`, () => {
      const reader = readerOf(one.protocol);
      expect(reader.whole(one.body)).toBe(one.body);
      expectFacts(one, reader.facts());
    });
  }
});

function expectFacts(
  { id, expect: expected }: WireFixture,
  facts: ReturnType<ReturnType<typeof readerOf>["facts"]>,
) {
  const failed = expected.error !== undefined;
  expect<unknown>([id, facts.error?.message]).toEqual([id, expected.error?.message]);
  if (!failed) expect([id, facts.complete]).toEqual([id, true]);
  const tokens = expected.usage === null ? undefined : knownTokens(expected.usage);
  // What an answer that failed had reported by then is provisional, and not part of what the fixture says.
  if (!failed) expect<unknown>([id, facts.usage?.tokens]).toEqual([id, tokens]);
  expect<unknown>(facts.usage?.subCharges?.map((part) => part.tokens)).toEqual(
    expected.subCharges?.map((part) => knownTokens(part.usage)),
  );
  if ((expected.text ?? "") !== "") {
    expect(facts.textBytes).toBeGreaterThanOrEqual(Buffer.byteLength(expected.text ?? ""));
    expect(facts.textPieces).toBeGreaterThan(0);
  }
}

describe("an answer as it was recorded", () => {
  test.skipIf(recordingsSkipReason !== undefined)("is there in numbers", () => {
    expect(recorded.length).toBeGreaterThan(150);
  });

  for (const one of recorded) {
    test(`${one.id}: handed on unchanged, and understood the same however it is cut`, () => {
      const facts = one.stream ? SPLITS.map((split) => factsOf(one, split)) : [wholeFacts(one)];
      for (const other of facts) expect<unknown>(other).toEqual(facts[0]);
      expect(facts[0]?.facts).toMatchObject({ complete: true });
      expect(facts[0]?.facts.error).toBeUndefined();
    });
  }
});

function factsOf(one: Recording, split: Split) {
  const reader = readerOf(one.protocol);
  expect(fromUtf8(readStream(reader, one.chunks, split))).toBe(fromUtf8(one.body));
  return { facts: reader.facts(), ended: reader.ended };
}

function wholeFacts(one: Recording) {
  const reader = readerOf(one.protocol);
  expect(reader.whole(one.body)).toBe(one.body);
  return { facts: reader.facts(), ended: reader.ended };
}

describe("an answer that is cut short", () => {
  for (const one of answered.filter(({ stream, expect: { error } }) => stream && error === undefined)) {
    test(`${one.id}: is never complete before its end`, () => {
      const events = fromUtf8(one.body).split(one.protocol.startsWith("ollama-") ? /(?<=\n)/ : /(?<=\n\n)/);
      for (let kept = 0; kept < events.length; kept++) {
        const reader = readerOf(one.protocol);
        const delivered = events.slice(0, kept).join("");
        expect(fromUtf8(readStream(reader, [utf8(delivered)], "as-is"))).toBe(delivered);
        expect(reader.ended).toBe(false);
        // Servers that follow OpenAI may leave [DONE] out: there, the finish says that the answer is complete.
        const finished = one.protocol.startsWith("openai-") && /"finish_reason":"/.test(delivered);
        expect([kept, reader.facts().complete]).toEqual([kept, finished]);
      }
    });
  }

  const LAST_EVENTS: readonly (readonly [string, string])[] = [
    ["openai-chat", "data: [DONE]"],
    ["openai-chat", "data:[DONE]\n"],
    ["openai-completions", "data: [DONE]\r\n"],
    ["anthropic-messages", 'event: message_stop\ndata: {"type":"message_stop"}'],
    ["ollama-chat", '{"done":true,"prompt_eval_count":1,"eval_count":2}'],
    ["ollama-generate", '{"done":true,"response":"","eval_count":2}'],
  ];
  for (const [protocol, last] of LAST_EVENTS) {
    test(`${protocol}: a last event without its delimiter counts when the stream has ended: ${JSON.stringify(last)}`, () => {
      const reader = readerOf(protocol);
      expect(reader.piece(utf8(last)).length).toBe(0);
      expect([reader.ended, reader.facts().complete]).toEqual([false, false]);
      expect(fromUtf8(reader.rest())).toBe(last);
      expect([reader.ended, reader.facts().complete]).toEqual([true, true]);
    });
  }
});

describe("what is no event of the protocol", () => {
  const NOISE = [
    ": a comment\n\n",
    'event: ping\ndata: {"type":"ping"}\n\n',
    "data: not JSON\n\n",
    "data: []\n\ndata: null\n\ndata: 7\n\n",
    "retry: 10\nid: 4\n\n",
    "\n\n\n",
    'data: {"choices":[null,7,{"delta":[]}],"usage":"many","error":null}\n\n',
    'data: {"type":"message_start","message":null}\n\ndata: {"type":"message_delta","usage":[]}\n\n',
  ];
  for (const protocol of ["openai-chat", "openai-completions", "anthropic-messages"]) {
    test(`${protocol}: goes through and teaches nothing`, () => {
      for (const noise of NOISE) {
        const reader = readerOf(protocol);
        expect(fromUtf8(readStream(reader, [utf8(noise)], "every-byte"))).toBe(noise);
        expect(reader.facts()).toEqual({ usage: undefined, complete: false, textBytes: 0, textPieces: 0 });
      }
    });
  }

  test("ollama: goes through and teaches nothing", () => {
    for (const noise of [
      "\n",
      "not JSON\n",
      "[]\n",
      "null\n",
      '{"message":[],"done":"yes"}\n',
      '{"error":7}\n',
    ]) {
      const reader = readerOf("ollama-chat");
      expect(fromUtf8(readStream(reader, [utf8(noise)], "every-byte"))).toBe(noise);
      expect(reader.facts()).toEqual({ usage: undefined, complete: false, textBytes: 0, textPieces: 0 });
    }
  });

  test("a whole body that is no object is not complete", () => {
    for (const protocol of PROTOCOLS.keys()) {
      for (const body of ["", "[]", "null", "<html>", '"text"', '{"cut":']) {
        const reader = readerOf(protocol);
        const bytes = utf8(body);
        expect(reader.whole(bytes)).toBe(bytes);
        expect([protocol, body, reader.facts().complete]).toEqual([protocol, body, false]);
      }
    }
  });
});
