import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromUtf8, type Split, utf8 } from "../../support/bytes.ts";
import { isObject, property } from "../../support/json-access.ts";
import { type Recording, recordings, recordingsSkipReason } from "../../support/recordings.ts";
import { replay } from "../../support/replay.ts";
import { asksForUsage, seesNoUsage } from "./hidden-usage.ts";
import { recordedTokens } from "./recorded-tokens.ts";
import {
  bucketsOf,
  call,
  costByPrice,
  isRelayed,
  modelsOf,
  type Relay,
  type RelayedProtocol,
  ROUTES,
  startRelay,
} from "./relay-setup.ts";

/** What stands in for a request where only the answer was recorded. */
const STAND_INS = {
  "openai-chat": { messages: [] },
  "openai-completions": { prompt: "p" },
  "openai-embeddings": { input: "i" },
  "anthropic-messages": { max_tokens: 9, messages: [] },
  "ollama-chat": { messages: [] },
  "ollama-generate": { prompt: "p" },
  "ollama-embed": { input: "i" },
} as const;

interface Exchange {
  readonly name: string;
  readonly recording: Recording;
  readonly protocol: RelayedProtocol;
  readonly body: unknown;
  readonly bytes: Uint8Array;
}

const exchanges = recordings().flatMap((one) =>
  isRelayed(one.protocol) && one.status === 200 ? exchangesOf(one, one.protocol) : [],
);
const SPLITS: readonly Split[] = ["as-is", { seed: 11, max: 700 }];

let relay: Relay;
beforeAll(async () => {
  relay = await startRelay(modelsOf(exchanges.map(({ body }) => body)));
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
});

test.skipIf(recordingsSkipReason !== undefined)("the recordings of the relayed protocols are found", () => {
  expect(exchanges.length).toBeGreaterThan(150);
});

describe("an answer as it was recorded", () => {
  for (const { name, recording, protocol, body, bytes } of exchanges) {
    test(`${name} comes through unchanged and is written down`, async () => {
      const { upstream, gateway } = relay;
      const hidden = protocol.startsWith("openai-") && recording.stream && !asksForUsage(body);
      for (const split of recording.stream ? SPLITS : (["as-is"] as const)) {
        upstream.reply("*", replay(recording, { split }));
        const wholeBytes = hidden ? undefined : recording.body.length;
        const got = await call(gateway, {
          path: ROUTES[protocol],
          body: bytes,
          ...(wholeBytes === undefined ? {} : { wholeBytes }),
        });
        expect(got.status).toBe(200);
        expect(fromUtf8(got.body)).toBe(fromUtf8(hidden ? seesNoUsage(recording.body) : recording.body));
        if (!hidden) expect(fromUtf8(upstream.requests.at(-1)?.body ?? utf8(""))).toBe(fromUtf8(bytes));
        const [row] = got.rows;
        expect(got.rows.length).toBe(1);
        expect(row).toMatchObject({ protocol, status: 200, error: null, response_bytes: got.body.length });
        if (row === undefined) return;
        const { sum, parts } = recordedTokens(protocol, recording);
        const { input = 0, cacheRead = 0, cacheWrite = 0, output = 0 } = bucketsOf(row);
        if (sum === undefined) expect(row.usage_source).toBe("estimated");
        else {
          expect([row.usage_source, input + cacheRead + cacheWrite + output]).toEqual(["provider", sum]);
        }
        expect(BigInt(row.cost_nano_usd)).toBe(costByPrice(bucketsOf(row), parts));
      }
    });
  }
});

/** As recorded; or, where no request was, one that asks for usage and one that does not. */
function exchangesOf(recording: Recording, protocol: RelayedProtocol): Exchange[] {
  const { request, id: name, stream } = recording;
  if (request !== undefined && isObject(request.body)) {
    return [{ name, recording, protocol, body: request.body, bytes: request.bytes }];
  }
  const plain = { model: "recorded", ...STAND_INS[protocol], ...(stream ? { stream } : {}) };
  const bodies: Record<string, unknown>[] = [plain];
  if (stream && protocol.startsWith("openai-")) {
    bodies.push({ ...plain, stream_options: { include_usage: true } });
  }
  return bodies.map((body) => ({
    name: `${name}${property(body, "stream_options") === undefined ? "" : ", usage asked for"}`,
    recording,
    protocol,
    body,
    bytes: utf8(JSON.stringify(body)),
  }));
}
