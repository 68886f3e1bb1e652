/** Routes that do not exist, methods that they do not have, and names made to do harm. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestGateway } from "../../support/gateway.ts";
import { rawClient, requestBytes } from "../../support/raw-client.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { within } from "../../support/within.ts";
import { gatewayAt, rowOf, untilIdle } from "../bad-days/failing-gateway.ts";
import { bodyOf, errorMessage, goodAnswer, post, SPOKEN, type Spoken } from "../bad-days/spoken.ts";

let upstream: ScriptedUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await scriptedUpstream();
  gateway = await gatewayAt(upstream.url);
  for (const spoken of SPOKEN) upstream.replyAlways(`POST ${spoken.path}`, () => goodAnswer(spoken, false));
});

afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const UNKNOWN = [
  { path: "/v1/chat/completion", shape: "openai" },
  { path: "/v1/responses", shape: "openai" },
  { path: "/v1/chat/completions/", shape: "openai" },
  { path: "/v1/messages/count_tokens", shape: "anthropic" },
  { path: "/v1/messages/batches", shape: "anthropic" },
  { path: "/", shape: "gateway" },
  { path: "/admin", shape: "gateway" },
  { path: "/..%2f..%2fetc/passwd", shape: "gateway" },
  { path: "/%00", shape: "gateway" },
  { path: "/%ff%fe", shape: "gateway" },
  { path: `/${"long/".repeat(1_000)}`, shape: "gateway" },
] as const;

describe.each(UNKNOWN)("there is no $path", ({ path, shape }) => {
  test.each(["GET", "POST", "PUT", "DELETE"])("%s", async (method) => {
    const response = await fetch(gateway.url + path, { method, headers: { "x-api-key": gateway.userKey } });
    expect(response.status).toBe(404);
    const requestId = response.headers.get("x-request-id");
    expect(requestId).toMatch(/^[0-9A-Z]{26}$/);
    expect(errorMessage(shape, await response.json(), requestId).length).toBeLessThan(400);
  });
});

const WRONG = [
  ...SPOKEN.flatMap(({ path, shape }) =>
    ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"].map((method) => ({ method, path, shape, allow: "POST" })),
  ),
  { method: "POST", path: "/v1/models", shape: "openai", allow: "GET" },
  { method: "DELETE", path: "/v1/models/gpt-test", shape: "openai", allow: "GET" },
  { method: "POST", path: "/api/tags", shape: "ollama", allow: "GET" },
  { method: "GET", path: "/api/show", shape: "ollama", allow: "POST" },
  { method: "POST", path: "/api/models", shape: "gateway", allow: "GET" },
  { method: "POST", path: "/health", shape: "gateway", allow: "GET" },
  { method: "GET", path: "/admin/v1/operations/accounts.list", shape: "gateway", allow: "POST" },
] as const;

test.each(WRONG)("$method $path is not allowed", async ({ method, path, shape, allow }) => {
  const response = await fetch(gateway.url + path, { method, headers: { "x-api-key": gateway.userKey } });
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe(allow);
  const requestId = response.headers.get("x-request-id");
  expect(requestId).not.toBeNull();
  expect(errorMessage(shape, await response.json(), requestId)).toContain(allow);
});

test.each(["/v1/models", "/api/tags", "/health", "/nothing", "/v1/messages"])(
  "HEAD %s has no body",
  async (path) => {
    await using client = await rawClient(gateway.url);
    const headers = { "x-api-key": gateway.userKey };
    await client.write(requestBytes({ method: "HEAD", path, headers }));
    const answer = await client.readResponse("HEAD");
    expect(answer.header("x-request-id")).toBeDefined();
    // The connection can be used again: nothing of a body was sent.
    await client.write(requestBytes({ method: "GET", path: "/health" }));
    expect((await client.readResponse("GET")).json()).toMatchObject({ status: "healthy" });
  },
);

const NAMES: readonly { name: string; model: string }[] = [
  { name: "unknown", model: "no-such-model" },
  { name: "with NUL", model: "gpt\0test" },
  { name: "with control characters", model: "\u001b[31mgpt\r\nx-injected: 1\u007f" },
  { name: "half a character", model: "gpt-\ud800" },
  { name: "with marks that turn text round", model: "\u202egpt-test" },
  { name: "a property of every object", model: "__proto__" },
  { name: "another property of every object", model: "constructor" },
  { name: "a path", model: "../../../../etc/passwd" },
  { name: "of a provider that does not exist", model: "nobody/gpt-test" },
  { name: "with nothing behind the slash", model: "up-openai/" },
  { name: "an address", model: "http://169.254.169.254/latest" },
  { name: "SQL", model: "'; drop table requests; --" },
  { name: "a million letters", model: "m".repeat(1_000_000) },
  { name: "a formula of printf", model: "%s%n%x" },
];

describe.each(NAMES)("a model that is $name", ({ model }) => {
  test.each(SPOKEN)("$name", async (spoken) => {
    const body = JSON.stringify({ ...bodyOf(spoken, false), model });
    const response = await post(gateway.url, gateway.userKey, spoken, false, { body });
    expect(response.status).toBe(404);
    const requestId = response.headers.get("x-request-id");
    const text = await response.text();
    expect(text.length).toBeLessThan(1_500);
    expect(errorMessage(spoken.shape, JSON.parse(text), requestId)).toMatch(/does not exist|not found/);
    expect(response.headers.get("x-injected")).toBeNull();
    expect(await rowOf(gateway, requestId)).toMatchObject({
      status: 404,
      error: "model_not_found",
      model: null,
    });
  });
});

test("ten thousand names do not stay in memory", async () => {
  const [spoken] = SPOKEN;
  if (spoken === undefined) throw new Error("no protocols");
  const ask = async (n: number) => {
    const model = `${"n".repeat(4_000)}-${n}`;
    const body = JSON.stringify({ ...bodyOf(spoken, false), model });
    const response = await post(gateway.url, gateway.userKey, spoken, false, { body });
    await response.arrayBuffer();
    return response.status;
  };
  const heap = () => {
    gateway.rows.length = 0; // the test's own memory of what passed
    gateway.errors.length = 0;
    Bun.gc(true);
    return process.memoryUsage().heapUsed;
  };
  const round = async (from: number) => {
    for (let n = from; n < from + 10_000; n += 50) {
      const statuses = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(n + i)));
      expect(new Set(statuses)).toEqual(new Set([404]));
      gateway.rows.length = 0;
    }
  };
  await round(0);
  const before = heap();
  await round(10_000);
  // Kept, they would be forty megabytes or more.
  expect(heap() - before).toBeLessThan(20 * 1024 * 1024);
}, 180_000);

describe("header values", () => {
  const VALUES: readonly { name: string; value: string; header?: string }[] = [
    { name: "with NUL", value: "a\0b" },
    { name: "with a control character", value: "a\u0001b" },
    { name: "with DEL", value: "a\u007fb" },
    { name: "in UTF-8", value: "caf\u00e9 \u2603" },
    { name: "of 12,000 letters", value: "v".repeat(12_000) },
    { name: "folded over two lines", value: "a\r\n b" },
    { name: "NUL in the key", value: "Bearer pk_\0", header: "Authorization" },
    { name: "a control character in the key", value: "pk_\u0001x", header: "x-api-key" },
  ];
  test.each(VALUES)("$name: an answer or a refusal, and nothing breaks", async ({ value, header }) => {
    for (const spoken of SPOKEN) {
      const name = header ?? (spoken.shape === "anthropic" ? "anthropic-beta" : "openai-beta");
      const key: Record<string, string> = header === undefined ? { "x-api-key": gateway.userKey } : {};
      await using client = await rawClient(gateway.url);
      await client.write(
        requestBytes({ path: spoken.path, headers: { ...key, [name]: value }, body: bodyOf(spoken, false) }),
      );
      const [, status] = new TextDecoder()
        .decode(await within("an answer", client.readUntil("\r\n")))
        .split(" ");
      expect([200, 400, 401, 431]).toContain(Number(status));
      expect((await post(gateway.url, gateway.userKey, spoken, false)).status).toBe(200);
    }
    await untilIdle(gateway);
  });

  test("too many of them are refused", async () => {
    await using client = await rawClient(gateway.url);
    const headers = Array.from({ length: 5_000 }, (_, n): [string, string] => [
      `x-header-${n}`,
      "v".repeat(100),
    ]);
    await client
      .write(requestBytes({ path: (SPOKEN[0] as Spoken).path, headers, body: {} }))
      .catch(() => undefined);
    expect(
      await Promise.race([client.readResponse().then((answer) => answer.status), client.closed]),
    ).toBeOneOf([431, "reset", "ended"]);
  });
});
