import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Split } from "../../support/bytes.ts";
import { knownTokens } from "../../support/fixtures.ts";
import { property } from "../../support/json-access.ts";
import { replay } from "../../support/replay.ts";
import { asksForUsage, seesNoUsage } from "./hidden-usage.ts";
import {
  bucketsOf,
  call,
  costByPrice,
  modelsOf,
  providerOf,
  type Relay,
  relayedFixtures,
  startRelay,
  writtenRows,
} from "./relay-setup.ts";

const answered = relayedFixtures(({ status }) => status === 200);
const SPLITS: readonly Split[] = ["as-is", "one-piece", "every-byte", "inside-utf8", { seed: 7 }];

let relay: Relay;
beforeAll(async () => {
  relay = await startRelay(modelsOf(answered.map(({ request }) => request.body)));
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
});

describe("an answer as the fixtures have it", () => {
  for (const one of answered) {
    for (const split of one.stream ? SPLITS : (["as-is"] as const)) {
      test(`${one.id}, cut ${JSON.stringify(split)}, comes through unchanged and is written down`, async () => {
        const { upstream, gateway } = relay;
        upstream.reply("*", replay(one, { split }));
        const hidden = one.protocol.startsWith("openai-") && one.stream && !asksForUsage(one.request.body);
        const got = await call(gateway, {
          path: one.request.path,
          body: one.request.bytes,
          headers: one.request.headers,
          ...(hidden ? {} : { wholeBytes: one.body.length }),
        });

        if (saysOnlyAnError(one)) {
          // The error is the first event, so it is an error with a status, and nothing is charged.
          expect(got.status).toBe(502);
          expect(got.rows).toMatchObject([{ status: 502, error: "provider_rejected", cost_nano_usd: 0 }]);
          return;
        }
        expect(got.status).toBe(200);
        expect(Buffer.from(got.body)).toEqual(Buffer.from(hidden ? seesNoUsage(one.body) : one.body));
        expect(got.headers.get("content-type")).toBe(one.headers["content-type"] ?? "missing in the fixture");

        const row = got.rows[0];
        expect(got.rows.length).toBe(1);
        expect(row).toMatchObject({
          protocol: one.protocol,
          stream: asksForStream(one) ? 1 : 0,
          status: one.expect.error === undefined ? 200 : 502,
          error: one.expect.error === undefined ? null : "provider_rejected",
          provider: providerOf(one.protocol),
          provider_status: 200,
          provider_request_id: one.headers["x-request-id"] ?? one.headers["request-id"] ?? null,
          request_bytes: one.request.bytes.length,
          response_bytes: got.body.length,
          first_byte_ms: expect.any(Number),
        });
        if (row === undefined) return;
        const { usage, subCharges, error } = one.expect;
        // A count that the provider left out is estimated, and the row says so.
        const counted = usage?.inputTokens !== null && usage?.outputTokens !== null;
        if (usage === null || error !== undefined || !counted) {
          expect(row.usage_source).toBe("estimated");
          expect(BigInt(row.cost_nano_usd)).toBe(costByPrice(bucketsOf(row)));
          return;
        }
        expect(row.usage_source).toBe("provider");
        expect(bucketsOf(row)).toEqual(knownTokens(usage));
        const parts = (subCharges ?? []).map((part) => knownTokens(part.usage));
        expect(BigInt(row.cost_nano_usd)).toBe(costByPrice(knownTokens(usage), parts));
      });
    }
  }
});

describe("the request on its way to the provider", () => {
  for (const one of answered) {
    test(`${one.id}: the caller's bytes, the gateway's credentials`, async () => {
      const { upstream, gateway } = relay;
      upstream.reply("*", replay(one));
      await call(gateway, { path: one.request.path, body: one.request.bytes, headers: one.request.headers });
      const asked = upstream.requests.at(-1) ?? expect.unreachable("nothing was asked of the provider");
      const mustAsk = one.protocol.startsWith("openai-") && one.stream && !asksForUsage(one.request.body);
      if (mustAsk) {
        expect(asked.json()).toEqual({
          ...Object(one.request.body),
          stream_options: { include_usage: true },
        });
      } else {
        expect(asked.text()).toBe(Buffer.from(one.request.bytes).toString());
      }
      expect(asked.target).toBe(one.request.path);
      const anthropic = providerOf(one.protocol) === "up-anthropic";
      expect([asked.header("authorization"), asked.header("x-api-key")]).toEqual(
        anthropic ? [undefined, "upstream-key"] : ["Bearer upstream-key", undefined],
      );
      expect(asked.header("accept-encoding")).toBe("identity");
      for (const name of ["anthropic-version", "anthropic-beta"]) {
        expect([name, asked.header(name)]).toEqual([name, one.request.headers[name]]);
      }
      expect(JSON.stringify(asked.headers)).not.toContain(gateway.userKey);
    });
  }
});

/** A stream in which the error comes before anything was generated. */
function saysOnlyAnError({ expect: { error, text } }: (typeof answered)[number]): boolean {
  return error !== undefined && (text ?? "") === "";
}

/** Ollama streams unless it is told not to; the others only when they are told to. */
function asksForStream({ protocol, request }: (typeof answered)[number]): boolean {
  const byDefault = protocol === "ollama-chat" || protocol === "ollama-generate";
  return (property(request.body, "stream") ?? byDefault) === true;
}

test("every request has exactly one row, and the rows tell what was seen", async () => {
  const { gateway } = relay;
  const ids = gateway.rows.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(writtenRows(gateway, id).length).toBe(1);
});
