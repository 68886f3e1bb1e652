import { describe, expect, test } from "bun:test";
import { fromUtf8, rechunk, utf8 } from "./bytes.ts";
import { rawClient, requestBytes } from "./raw-client.ts";
import {
  bytes,
  chunk,
  chunkedHead,
  close,
  closeEarly,
  end,
  garbage,
  hang,
  head,
  json,
  ndjson,
  openAiSse,
  pause,
  reset,
  type Step,
  sse,
  typedSse,
  wait,
} from "./script.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";
import { parseSse } from "./sse.ts";
import { gate } from "./within.ts";

const chat = "POST /v1/chat/completions";
const post = (url: string, body: unknown = {}, init: BunFetchRequestInit = {}) =>
  fetch(`${url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(body), ...init });

describe("requests", () => {
  test("are recorded byte for byte, headers in order and spelling", async () => {
    await using upstream = await scriptedUpstream();
    upstream.reply("POST /v1/x", json(200, { ok: true }));
    await using client = await rawClient(upstream.url);
    const sent = requestBytes({
      path: "/v1/x?a=1",
      headers: [
        ["X-Twice", "one"],
        ["x-tWICE", "two"],
      ],
      body: { text: "漢字 é 👩‍👩‍👧" },
    });
    for (const piece of rechunk(sent, "every-byte")) await client.write(piece);
    const request = await upstream.next();
    expect(request.target).toBe("/v1/x?a=1");
    expect(request.path).toBe("/v1/x");
    expect(request.query.get("a")).toBe("1");
    expect(request.headers.slice(-2)).toEqual([
      ["X-Twice", "one"],
      ["x-tWICE", "two"],
    ]);
    expect(request.header("content-type")).toBe("application/json");
    expect(request.json()).toEqual({ text: "漢字 é 👩‍👩‍👧" });
    expect((await client.readResponse()).json()).toEqual({ ok: true });
    expect(await request.ended).toBe("complete");
    await expect(request.closedByPeer).rejects.toThrow("the peer stayed");
  });

  test("with a chunked body are put together", async () => {
    await using upstream = await scriptedUpstream();
    upstream.reply("*", json(200, "ok"));
    await using client = await rawClient(upstream.url);
    await client.write(
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    );
    expect((await client.readResponse()).text()).toBe("ok");
    expect(upstream.requests[0]?.text()).toBe("abcde");
  });

  test("nobody scripted get 501 and are listed", async () => {
    await using upstream = await scriptedUpstream();
    expect((await post(upstream.url)).status).toBe(501);
    expect(upstream.unscripted.length).toBe(1);
  });

  test("take queued answers first, then the standing one; a function sees the request", async () => {
    await using upstream = await scriptedUpstream();
    upstream.replyAlways(chat, (request) => json(200, { echo: request.json() }));
    upstream.reply(chat, json(503, {}), json(429, {}, { "retry-after": "2" }));
    expect((await post(upstream.url)).status).toBe(503);
    const second = await post(upstream.url);
    expect([second.status, second.headers.get("retry-after")]).toEqual([429, "2"]);
    expect(await (await post(upstream.url, { n: 3 })).json()).toEqual({ echo: { n: 3 } });
  });
});

describe("connections", () => {
  test("are kept alive and reused, and closed when the answer says so", async () => {
    await using upstream = await scriptedUpstream();
    upstream.reply("*", json(200, 1), json(200, 2), json(200, 3, { connection: "close" }), json(200, 4));
    for (let nth = 0; nth < 4; nth++) await (await post(upstream.url)).text();
    expect(upstream.requests.map((request) => request.connection)).toEqual([1, 1, 1, 2]);
  });

  test("serve pipelined requests one after the other", async () => {
    await using upstream = await scriptedUpstream();
    const door = gate();
    upstream.reply(
      "*",
      [...json(200, "first").slice(0, 1), wait(door), bytes("first"), end()],
      json(200, "second"),
    );
    await using client = await rawClient(upstream.url);
    await client.write(Buffer.concat([requestBytes({ path: "/1" }), requestBytes({ path: "/2" })]));
    expect((await upstream.next()).path).toBe("/1");
    expect(upstream.requests.length).toBe(1);
    door.open();
    expect((await client.readResponse()).text()).toBe("first");
    expect((await client.readResponse()).text()).toBe("second");
  });

  test("work over a Unix socket", async () => {
    const unix = `/tmp/parallama-upstream-${process.pid}.sock`;
    await using upstream = await scriptedUpstream({ unixPath: unix });
    upstream.reply(chat, json(200, { local: true }));
    expect(await (await post(upstream.url, {}, { unix })).json()).toEqual({ local: true });
  });

  test("that the peer breaks off are told, at a gate, in a hang, and while the reply is being thought of", async () => {
    await using upstream = await scriptedUpstream();
    const never = gate();
    upstream.reply(
      "*",
      [chunkedHead(200), chunk("x"), wait(never)],
      [hang()],
      () => new Promise(() => undefined),
    );
    for (let nth = 0; nth < 3; nth++) {
      const abort = new AbortController();
      const answer = post(upstream.url, {}, { signal: abort.signal }).then((response) => response.text());
      const request = await upstream.next();
      abort.abort();
      await expect(answer).rejects.toThrow();
      await request.closedByPeer;
    }
    await upstream.idle();
    expect(upstream.connections).toEqual({ accepted: 3, open: 0 });
  });
});

describe("streams", () => {
  const events = [
    { type: "a", text: "漢字" },
    { type: "b", text: "👩‍👩‍👧 é" },
  ];

  test("arrive the same, however they are cut", async () => {
    await using upstream = await scriptedUpstream();
    for (const split of [
      "as-is",
      "one-piece",
      "every-byte",
      "inside-utf8",
      7,
      [1, 2, 30],
      { seed: 5 },
    ] as const) {
      upstream.reply(chat, typedSse(events, { split }));
      const response = await post(upstream.url);
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      const received = parseSse(new Uint8Array(await response.arrayBuffer()));
      expect(received.map(({ event, data }) => [event, JSON.parse(data)])).toEqual(
        events.map((event) => [event.type, event]),
      );
    }
    expect(upstream.connections.accepted).toBe(1);
  });

  test("of the three kinds have their framing", async () => {
    await using upstream = await scriptedUpstream();
    upstream.reply(
      chat,
      openAiSse([{ n: 1 }]),
      sse([{ data: "x\ny" }, ": ping\n\n"]),
      ndjson([{ n: 1 }, "raw\n"]),
    );
    expect(await (await post(upstream.url)).text()).toBe('data: {"n":1}\n\ndata: [DONE]\n\n');
    expect(await (await post(upstream.url)).text()).toBe("data: x\ndata: y\n\n: ping\n\n");
    expect(await (await post(upstream.url)).text()).toBe('{"n":1}\nraw\n');
  });

  test("pass a gate only when it opens", async () => {
    await using upstream = await scriptedUpstream();
    const door = gate();
    upstream.reply(chat, [chunkedHead(200), chunk("first"), wait(door), chunk("second"), end()]);
    const reader = (await post(upstream.url)).body?.getReader();
    expect(fromUtf8((await reader?.read())?.value ?? utf8(""))).toBe("first");
    door.open();
    expect(fromUtf8((await reader?.read())?.value ?? utf8(""))).toBe("second");
    expect((await reader?.read())?.done).toBe(true);
  });

  test("run no faster than their reader", async () => {
    await using upstream = await scriptedUpstream();
    const piece = new Uint8Array(64 * 1024);
    function* endless(): Generator<Step> {
      yield chunkedHead(200);
      for (;;) yield chunk(piece);
    }
    upstream.reply("*", endless());
    await using client = await rawClient(upstream.url);
    await client.write(requestBytes({ path: "/" }));
    const request = await upstream.next();
    await client.readUntil("\r\n\r\n");
    client.stopReading();
    let before = -1;
    for (let still = 0; still < 5; still = before === request.sentBytes() ? still + 1 : 0) {
      before = request.sentBytes();
      await Bun.sleep(20);
    }
    expect(before).toBeLessThan(64 * 1024 * 1024);
    client.startReading();
    while (request.sentBytes() === before) await Bun.sleep(1);
    client.reset();
    await request.closedByPeer;
  });
});

describe("failures", () => {
  test("of every kind reach the caller as what they are", async () => {
    await using upstream = await scriptedUpstream();
    const failing: Step[][] = [
      garbage(),
      closeEarly('{"half":'),
      [chunkedHead(200), chunk("part"), pause(), close()],
      [chunkedHead(200), chunk("part"), reset()],
      [reset()],
      [close()],
    ];
    upstream.reply(chat, ...failing);
    for (const _ of failing) {
      const answer = post(upstream.url).then((response) => response.text());
      await expect(answer).rejects.toThrow();
    }
    const endings = await Promise.all(upstream.requests.map((request) => request.ended));
    expect(endings).toEqual([
      "closed-by-script",
      "closed-by-script",
      "closed-by-script",
      "cut-by-script",
      "cut-by-script",
      "closed-by-script",
    ]);
  });

  test("without a length or chunks the end of the connection is the end of the answer", async () => {
    await using upstream = await scriptedUpstream();
    upstream.reply(chat, [head(200), bytes("until the end")]);
    expect(await (await post(upstream.url)).text()).toBe("until the end");
    expect(await upstream.requests[0]?.ended).toBe("closed-by-script");
  });

  test("of the script itself fail the test at close", async () => {
    const upstream = await scriptedUpstream();
    upstream.reply(chat, () => {
      throw new Error("a broken expectation");
    });
    await expect(post(upstream.url)).rejects.toThrow();
    await expect(upstream.close()).rejects.toThrow("a script of the upstream threw");
  });

  test("a request that is not HTTP fails the test at close", async () => {
    const upstream = await scriptedUpstream();
    await using client = await rawClient(upstream.url);
    await client.write("nonsense\r\n\r\n");
    expect(await client.closed).not.toBe("local");
    await expect(upstream.close()).rejects.toThrow("a script of the upstream threw");
  });
});
