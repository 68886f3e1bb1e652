import { beforeEach, describe, expect, test } from "bun:test";
import { gatewayError } from "../../src/core/error.ts";
import type { Price } from "../../src/core/price.ts";
import type { RequestRow } from "../../src/engine/ports.ts";
import { type Call, RequestScope, type ScopePorts } from "../../src/engine/request-scope.ts";
import { fakeProvider } from "../providers/fake-provider.ts";
import { gate } from "../support/within.ts";

const PRICE: Price = {
  id: 9,
  model: "m",
  effectiveFromMs: 0,
  perRequestNanoUsd: 0n,
  inputNanoUsdPerMillion: 2_000_000n,
  outputNanoUsdPerMillion: 4_000_000n,
  source: "set",
};
const COST: Price = {
  ...PRICE,
  id: 8,
  inputNanoUsdPerMillion: 1_000_000n,
  outputNanoUsdPerMillion: 1_000_000n,
};
const TARGET = { provider: fakeProvider("up"), model: "m-1" };
const USAGE = { tokens: { input: 10, output: 5 }, source: "provider" } as const;

let nowMs: number;
let rows: RequestRow[];
let told: string[];
let durable: Promise<void>;
let scope: RequestScope;
beforeEach(() => {
  nowMs = 1_000;
  rows = [];
  told = [];
  durable = Promise.resolve();
  const ports: ScopePorts = {
    prices: { unpriced: { kind: "refuse" }, chargeFor: () => ({ charged: PRICE, cost: COST }) },
    clock: { now: () => nowMs, monotonicMs: () => 0 },
    observer: {
      finished: (row) => void told.push(`finished ${row.status}`),
      failed: (_, error) => void told.push(`failed ${error.kind}`),
    },
    journal: {
      append(row) {
        rows.push(row);
        return durable;
      },
      refusal: () => undefined,
    },
  };
  const call: Call = {
    requestId: "r",
    startedAtMs: 1_000,
    principal: { accountId: 3, accountHandle: "ann", keyId: 4, role: "user", allowedModels: null },
    protocol: "openai-chat",
    signal: new AbortController().signal,
    headers: new Headers(),
    ended: () => {},
  };
  scope = new RequestScope(ports, call);
});

test("a request that ended well is charged by its price and costs what the provider takes", async () => {
  scope.routed("m", TARGET, { charged: PRICE, cost: COST });
  nowMs = 1_010;
  scope.attempting(nowMs);
  scope.answering(200, "req_1");
  nowMs = 1_030;
  scope.delivered(7);
  nowMs = 1_040;
  scope.delivered(3);
  nowMs = 1_100;
  await scope.finish(200, USAGE);
  expect(rows).toEqual([
    expect.objectContaining({
      id: "r",
      accountId: 3,
      keyId: 4,
      model: "m",
      status: 200,
      error: null,
      priceId: 9,
      costNanoUsd: 40n,
      latencyMs: 100,
      firstByteMs: 30,
      responseBytes: 10,
      attempts: [
        expect.objectContaining({
          provider: "up",
          providerModel: "m-1",
          providerRequestId: "req_1",
          status: 200,
          startedAtMs: 1_010,
          latencyMs: 90,
          costNanoUsd: 15n,
        }),
      ],
    }),
  ]);
  expect(told).toEqual(["finished 200"]);
});

describe("whatever way it ends, it ends once", () => {
  test("the first ending counts, and all wait for the same row", async () => {
    const door = gate();
    durable = door.opened;
    const first = scope.finish(200, undefined);
    const second = scope.finish(499, USAGE, gatewayError("client_closed", "gone"));
    const third = scope.refused(gatewayError("internal", "x"));
    expect(scope.finished).toBe(true);
    let waited = false;
    void second.then(() => {
      waited = true;
    });
    await Bun.sleep(1);
    expect({ waited, told }).toEqual({ waited: false, told: [] });
    door.open();
    await Promise.all([first, second, third]);
    expect(rows.map(({ status }) => status)).toEqual([200]);
    expect(told).toEqual(["finished 200"]);
  });

  test("nobody is told that it finished before its row is durable; of a failure at once", async () => {
    const door = gate();
    durable = door.opened;
    const refused = scope.refused(gatewayError("overloaded", "full"));
    expect(told).toEqual(["failed overloaded"]);
    door.open();
    await refused;
    expect(told).toEqual(["failed overloaded", "finished 503"]);
  });
});

test("a request that was refused before anybody was asked costs nothing and has no attempt", async () => {
  scope.received(55);
  await scope.refused(gatewayError("model_not_found", "no"));
  expect(rows).toMatchObject([
    {
      status: 404,
      error: "model_not_found",
      model: null,
      usage: undefined,
      priceId: null,
      costNanoUsd: 0n,
      firstByteMs: null,
      requestBytes: 55,
      attempts: [],
    },
  ]);
});

test("an attempt without an answer is written down, and costs nothing", async () => {
  scope.routed("m", TARGET, { charged: PRICE, cost: COST });
  scope.attempting(1_000);
  await scope.refused(gatewayError("provider_unreachable", "no"));
  expect(rows).toMatchObject([
    {
      status: 502,
      costNanoUsd: 0n,
      priceId: null,
      attempts: [{ provider: "up", status: null, error: "provider_unreachable", costNanoUsd: 0n }],
    },
  ]);
});
