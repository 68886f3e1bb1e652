/** Bodies that cannot be understood: 400 or 413 in the protocol's shape, one row, and the provider is not bothered. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { concat, utf8 } from "../../support/bytes.ts";
import type { TestGateway } from "../../support/gateway.ts";
import { type RawResponse, rawClient, requestBytes } from "../../support/raw-client.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { within } from "../../support/within.ts";
import { gatewayAt, nextRow, rowOf, untilIdle } from "../bad-days/failing-gateway.ts";
import { bodyOf, errorMessage, goodAnswer, post, SPOKEN, type Spoken } from "../bad-days/spoken.ts";

const MAX_BYTES = 64 * 1024;

interface BadBody {
  readonly name: string;
  readonly body: (spoken: Spoken) => string | Uint8Array;
  readonly says: RegExp;
  /** The field that is to blame. */
  readonly param?: string | ((spoken: Spoken) => string);
}

const changed = (spoken: Spoken, fields: object) => JSON.stringify({ ...bodyOf(spoken, false), ...fields });
const nested = (levels: number) => `${"[".repeat(levels)}1${"]".repeat(levels)}`;
/** The same body with one more field, `extra` being JSON. */
const withExtra = (spoken: Spoken, extra: string) => `${changed(spoken, {}).slice(0, -1)},"extra":${extra}}`;

const BAD_BODIES: readonly BadBody[] = [
  { name: "empty", body: () => "", says: /no body/ },
  { name: "a blank", body: () => " \r\n ", says: /not valid JSON/ },
  { name: "not JSON", body: () => "model=gpt-test", says: /not valid JSON/ },
  { name: "half a document", body: (spoken) => changed(spoken, {}).slice(0, -3), says: /not valid JSON/ },
  { name: "two documents", body: (spoken) => `${changed(spoken, {})}{}`, says: /not valid JSON/ },
  { name: "JavaScript's NaN", body: (spoken) => withExtra(spoken, "NaN"), says: /not valid JSON/ },
  { name: "a trailing comma", body: (spoken) => withExtra(spoken, "1,"), says: /not valid JSON/ },
  { name: "a raw NUL in a string", body: (spoken) => withExtra(spoken, '"\0"'), says: /not valid JSON/ },
  {
    name: "invalid UTF-8",
    body: (spoken) =>
      concat([utf8(withExtra(spoken, '"').slice(0, -1)), new Uint8Array([0xc3, 0x28]), utf8('"}')]),
    says: /not valid UTF-8/,
  },
  ...["[]", "null", "5", '"text"', "true"].map((body) => ({
    name: `${body} instead of an object`,
    body: () => body,
    says: /must be a JSON object/,
  })),
  {
    name: "no model",
    body: (spoken) => JSON.stringify(spoken.body),
    says: /'model' is required/,
    param: "model",
  },
  ...[null, 5, "", ["gpt-test"], {}, true].map((model) => ({
    name: `the model ${JSON.stringify(model)}`,
    body: (spoken: Spoken) => changed(spoken, { model }),
    says: /'model' must be a non-empty string/,
    param: "model",
  })),
  ...["yes", 1, {}, []].map((stream) => ({
    name: `stream ${JSON.stringify(stream)}`,
    body: (spoken: Spoken) => changed(spoken, { stream }),
    says: /'stream' must be true or false/,
    param: "stream",
  })),
  {
    name: "a field of the wrong type",
    body: (spoken) => changed(spoken, { [spoken.wrongField[0]]: spoken.wrongField[1] }),
    says: /must be a/,
    param: (spoken) => spoken.wrongField[0],
  },
  {
    name: "a field twice",
    body: (spoken) => `{"model":"cheap",${changed(spoken, {}).slice(1)}`,
    says: /'model' is given twice/,
    param: "model",
  },
  {
    name: "a field twice, once in disguise",
    body: (spoken) => `{"mod\\u0065l":"cheap",${changed(spoken, {}).slice(1)}`,
    says: /'model' is given twice/,
    param: "model",
  },
  { name: "129 levels", body: (spoken) => withExtra(spoken, nested(128)), says: /nested deeper than 128/ },
  {
    name: "20,000 levels",
    body: (spoken) => withExtra(spoken, nested(20_000)),
    says: /nested deeper than 128/,
  },
];

let upstream: ScriptedUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await scriptedUpstream();
  const limits = `server: {max_body_bytes: ${MAX_BYTES}, max_held_body_bytes: ${2 * MAX_BYTES}}`;
  gateway = await gatewayAt(upstream.url, {}, limits);
  for (const spoken of SPOKEN) {
    upstream.replyAlways(`POST ${spoken.path}`, (request) => {
      const { stream } = request.json() as { stream?: boolean };
      return goodAnswer(spoken, stream === true);
    });
  }
});

afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const send = (spoken: Spoken, init: RequestInit) => post(gateway.url, gateway.userKey, spoken, false, init);
const head = (spoken: Spoken, more: Record<string, string>) =>
  requestBytes({ path: spoken.path, headers: { Authorization: `Bearer ${gateway.userKey}`, ...more } });

describe.each(BAD_BODIES)("a body that is $name", ({ body, says, param }) => {
  test.each(SPOKEN)("$name", async (spoken) => {
    const asked = upstream.requests.length;
    const response = await send(spoken, { body: body(spoken) as string });
    expect(response.status).toBe(400);
    const requestId = response.headers.get("x-request-id");
    const answer: unknown = await response.json();
    expect(errorMessage(spoken.shape, answer, requestId)).toMatch(says);
    if (spoken.shape === "openai") {
      const blamed = typeof param === "function" ? param(spoken) : (param ?? null);
      expect(answer).toHaveProperty("error.param", blamed);
    }
    expect(await rowOf(gateway, requestId)).toMatchObject({
      status: 400,
      error: "bad_request",
      protocol: spoken.name,
      costNanoUsd: 0n,
      attempts: [],
    });
    expect(upstream.requests).toHaveLength(asked);
    await untilIdle(gateway);
  });
});

describe("what is unusual and no error", () => {
  const good: readonly { name: string; body: (spoken: Spoken) => string }[] = [
    { name: "128 levels", body: (spoken) => withExtra(spoken, nested(127)) },
    { name: "stream null", body: (spoken) => changed(spoken, { stream: null }) },
    { name: "blanks around it", body: (spoken) => `\r\n\t ${changed(spoken, {})} \n` },
    { name: "fields that nobody knows", body: (spoken) => withExtra(spoken, '{"__proto__":{"model":"x"}}') },
    {
      name: "brackets in a string",
      body: (spoken) => withExtra(spoken, JSON.stringify('"[{'.repeat(1_000))),
    },
    { name: "exactly as large as allowed", body: (spoken) => changed(spoken, {}).padEnd(MAX_BYTES, " ") },
  ];
  describe.each(good)("$name", ({ body }) => {
    test.each(SPOKEN)("$name", async (spoken) => {
      const response = await send(spoken, { body: body(spoken) });
      expect({ status: response.status, text: await response.text() }).toMatchObject({ status: 200 });
    });
  });
});

describe("sizes", () => {
  async function expectTooLarge(spoken: Spoken, response: RawResponse): Promise<void> {
    expect(response.status).toBe(413);
    const requestId = response.header("x-request-id") ?? null;
    expect(errorMessage(spoken.shape, response.json(), requestId)).toContain(
      `larger than ${MAX_BYTES} bytes`,
    );
    expect(await rowOf(gateway, requestId)).toMatchObject({ status: 413, error: "too_large" });
    await untilIdle(gateway);
  }

  test.each(SPOKEN)("a length over the limit is refused before the body comes: $name", async (spoken) => {
    await using client = await rawClient(gateway.url);
    await client.write(head(spoken, { "Content-Length": String(MAX_BYTES + 1) }));
    await expectTooLarge(spoken, await client.readResponse());
  });

  test.each(SPOKEN)("a chunked body that grows over the limit: $name", async (spoken) => {
    await using client = await rawClient(gateway.url);
    await client.write(head(spoken, { "Transfer-Encoding": "chunked" }));
    await client.write(`${(MAX_BYTES + 1).toString(16)}\r\n${" ".repeat(MAX_BYTES + 1)}\r\n`);
    await expectTooLarge(spoken, await client.readResponse());
  });

  test.each(SPOKEN)("a chunked body within the limit is read: $name", async (spoken) => {
    await using client = await rawClient(gateway.url);
    await client.write(head(spoken, { "Transfer-Encoding": "chunked" }));
    for (const byte of changed(spoken, {})) await client.write(`1\r\n${byte}\r\n`);
    await client.write("0\r\n\r\n");
    expect((await client.readResponse()).status).toBe(200);
  });

  test.each(SPOKEN)("a compressed body is refused: $name", async (spoken) => {
    const body = Bun.gzipSync(changed(spoken, {}));
    const headers = { authorization: `Bearer ${gateway.userKey}`, "content-encoding": "gzip" };
    const response = await send(spoken, { body, headers });
    expect(response.status).toBe(400);
    expect(errorMessage(spoken.shape, await response.json())).toContain("'gzip' is not supported");
  });

  test("more bodies than may be held at once: 503, and room again when one has gone", async () => {
    const [spoken] = SPOKEN;
    if (spoken === undefined) throw new Error("no protocols");
    const rows = gateway.rows.length;
    const holders = await Promise.all(
      [1, 2].map(async () => {
        const client = await rawClient(gateway.url);
        await client.write(head(spoken, { "Content-Length": String(MAX_BYTES) }));
        await client.write("{");
        return client;
      }),
    );
    while (gateway.app.inProgress.size < 2) await Bun.sleep(1);
    for (const other of SPOKEN) {
      const response = await send(other, {});
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      errorMessage(other.shape, await response.json(), response.headers.get("x-request-id"));
    }
    await Promise.all(holders.map((client) => client.close()));
    await within("the rows of those who left", gateway.rowsAt(rows + SPOKEN.length + 2));
    for (const other of SPOKEN) expect((await send(other, {})).status).toBe(200);
    // All the room is back, and no more than that: two of the largest fit.
    const full = () => send(spoken, { body: changed(spoken, {}).padEnd(MAX_BYTES, " ") });
    expect((await Promise.all([full(), full()])).map(({ status }) => status)).toEqual([200, 200]);
  });
});

describe("bodies that are not what their head says", () => {
  test.each(SPOKEN)("half a body and a close: $name", async (spoken) => {
    const row = nextRow(gateway);
    const client = await rawClient(gateway.url);
    await client.write(head(spoken, { "Content-Length": "500" }));
    await client.write('{"model":');
    while (gateway.app.inProgress.size === 0) await Bun.sleep(1);
    await client.close();
    expect(await row).toMatchObject({ status: 499, error: "client_closed", attempts: [] });
    await untilIdle(gateway);
  });

  test("half a body and silence: the connection is closed, and there is a row", async () => {
    const rows = gateway.rows.length;
    const clients = await Promise.all(
      SPOKEN.map(async (spoken) => {
        const client = await rawClient(gateway.url);
        await client.write(head(spoken, { "Content-Length": "500" }));
        await client.write('{"model":');
        return client;
      }),
    );
    for (const client of clients) await within("the gateway to give up", client.closed, 90_000);
    const written = (await within("the rows", gateway.rowsAt(rows + SPOKEN.length))).slice(rows);
    for (const row of written) expect(row).toMatchObject({ status: 499, error: "client_closed" });
    await untilIdle(gateway);
  });

  test.each(SPOKEN)("more bytes than announced end the connection: $name", async (spoken) => {
    const row = nextRow(gateway);
    await using client = await rawClient(gateway.url);
    const body = changed(spoken, {});
    await client.write(head(spoken, { "Content-Length": String(body.length) }));
    await client.write(`${body}GARBAGE / HTTP\r\n\r\n`);
    // Bun answers what follows at once, and with it the connection is over: the first answer may not get through.
    expect((await client.readResponse()).status).toBeOneOf([200, 400, 505]);
    await within("the gateway to close", client.closed);
    expect((await row).status).toBeOneOf([200, 499]);
    await untilIdle(gateway);
  });

  const lies: readonly { name: string; headers: Record<string, string> }[] = [
    { name: "a length that is no number", headers: { "Content-Length": "ten" } },
    { name: "a negative length", headers: { "Content-Length": "-1" } },
    { name: "a length beyond all numbers", headers: { "Content-Length": "9".repeat(40) } },
    { name: "a length and chunks", headers: { "Content-Length": "5", "Transfer-Encoding": "chunked" } },
    { name: "an unknown transfer encoding", headers: { "Transfer-Encoding": "gzip, chunked, banana" } },
  ];
  test.each(lies)("$name is refused, and nothing is held", async ({ headers }) => {
    const [spoken] = SPOKEN;
    if (spoken === undefined) throw new Error("no protocols");
    await using client = await rawClient(gateway.url);
    await client.write(concat([head(spoken, headers), utf8("0\r\n\r\n")]));
    const [status] = new TextDecoder()
      .decode(await client.readUntil("\r\n"))
      .split(" ")
      .slice(1);
    expect(Number(status)).toBeGreaterThanOrEqual(400);
    expect(Number(status)).toBeLessThan(500);
    await untilIdle(gateway);
    const tooMuch = await send(spoken, { body: " ".repeat(MAX_BYTES + 1) });
    expect(tooMuch.status).toBe(413);
    expect((await send(spoken, {})).status).toBe(200);
  });
});
