import { afterEach, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { GatewayFailure } from "../../src/core/error.ts";
import { HttpUpstream, providerError, type UpstreamOptions } from "../../src/providers/http-upstream.ts";
import { utf8 } from "../support/bytes.ts";
import { refusingPort, silentListener } from "../support/dead-ends.ts";
import { within } from "../support/within.ts";

const TIMEOUTS = { connectMs: 30_000, firstByteMs: 30_000, idleMs: 30_000, totalMs: 30_000 };
const NEVER = new AbortController().signal;

let respond: (request: Request) => Response | Promise<Response>;
let requests: { readonly method: string; readonly url: string; readonly headers: Headers }[];
let server: Bun.Server<undefined>;
beforeEach(() => {
  requests = [];
  respond = () => Response.json({ ok: true });
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => {
      const { method, url } = request;
      requests.push({ method, url, headers: new Headers(request.headers) });
      return respond(request);
    },
  });
});
afterEach(() => server.stop(true));

function upstream(options: Partial<UpstreamOptions> = {}): HttpUpstream {
  const baseUrl = `http://127.0.0.1:${server.port}/base`;
  return new HttpUpstream({
    provider: "up",
    baseUrl,
    headers: {},
    timeouts: TIMEOUTS,
    nowMs: () => 0,
    ...options,
  });
}

const post = (to: HttpUpstream, headers: Record<string, string> = {}, signal = NEVER) =>
  to.send("POST", "/x", utf8("{}"), headers, signal);

/** What a call fails with, as the caller may see it. */
async function errorOf(call: Promise<unknown>) {
  const thrown = await within("the failure", call).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(GatewayFailure);
  return (thrown as GatewayFailure).error;
}

test("method, path below the base URL and body arrive as they were given", async () => {
  let body = "";
  respond = async (request) => {
    body = await request.text();
    return new Response("fine", { status: 201, headers: { "x-a": "b" } });
  };
  const reply = await upstream().send("POST", "/chat?x=1", utf8('{"a": 1}'), {}, NEVER);
  expect(requests.map(({ method, url }) => [method, new URL(url).pathname + new URL(url).search])).toEqual([
    ["POST", "/base/chat?x=1"],
  ]);
  expect(body).toBe('{"a": 1}');
  expect([reply.status, reply.headers.get("x-a"), new TextDecoder().decode(await reply.bytes())]).toEqual([
    201,
    "b",
    "fine",
  ]);
});

describe("headers", () => {
  test.each<[string, Partial<UpstreamOptions>, Record<string, string>, string, string | null]>([
    ["ours go along", {}, {}, "user-agent", "parallama"],
    ["answers are asked for uncompressed", {}, {}, "accept-encoding", "identity"],
    ["the configuration's replace ours", { headers: { "user-agent": "me" } }, {}, "user-agent", "me"],
    ["however they are spelled", { headers: { "User-Agent": "me" } }, {}, "user-agent", "me"],
    ["a default stands where the caller says nothing", { defaultHeaders: { v: "1" } }, {}, "v", "1"],
    ["the caller's goes before a default", { defaultHeaders: { v: "1" } }, { v: "2" }, "v", "2"],
    ["a caller's own goes along", {}, { beta: "x" }, "beta", "x"],
    [
      "a caller cannot replace credentials",
      { headers: { authorization: "ours" } },
      { authorization: "theirs" },
      "authorization",
      "ours",
    ],
    [
      "however those are spelled",
      { headers: { Authorization: "ours" } },
      { authorization: "theirs" },
      "authorization",
      "ours",
    ],
    ["a caller cannot replace our own", {}, { "accept-encoding": "gzip" }, "accept-encoding", "identity"],
  ])("%s", async (_, options, callers, name, value) => {
    await post(upstream(options), callers);
    expect(requests[0]?.headers.get(name)).toBe(value);
  });
});

describe("an address that does not answer", () => {
  test("refuses the connection: unreachable, and no address in the text", async () => {
    await using nobody = await refusingPort();
    const error = await errorOf(post(upstream({ baseUrl: nobody.url })));
    expect(error).toEqual({
      kind: "provider_unreachable",
      message: "The provider 'up' cannot be reached.",
      retryAfterMs: 1_000,
    });
  });

  test("has a name that nobody knows", async () => {
    const error = await errorOf(post(upstream({ baseUrl: "http://nobody.invalid" })));
    expect(error.kind).toBe("provider_unreachable");
    expect(error.message).not.toContain("nobody.invalid");
  });

  test("swallows packets: given up after the time-out for connecting", async () => {
    const connect = spyOn(Bun, "connect").mockReturnValue(new Promise(() => {}));
    const error = await errorOf(post(upstream({ timeouts: { ...TIMEOUTS, connectMs: 5 } })));
    connect.mockRestore();
    expect(error).toMatchObject({
      kind: "provider_unreachable",
      message: "The provider 'up' could not be reached in time.",
    });
    expect(requests).toEqual([]);
  });

  test("a Unix socket that is not there", async () => {
    const error = await errorOf(post(upstream({ unixSocket: async () => "/nowhere/x.sock" })));
    expect(error.kind).toBe("provider_unreachable");
  });

  test("an address that has answered within ten seconds is not tried first", async () => {
    let nowMs = 0;
    let connections = 0;
    const counting = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open() {
          connections++;
        },
        data(socket) {
          socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        },
      },
    });
    const to = upstream({ baseUrl: `http://127.0.0.1:${counting.port}`, nowMs: () => nowMs });
    const after = async (ms: number) => {
      nowMs = ms;
      const before = connections;
      await (await post(to)).bytes();
      return connections - before;
    };
    expect([await after(0), await after(9_999), await after(19_998), await after(29_998)]).toEqual([
      2, 1, 1, 2,
    ]);
    counting.stop(true);
  });
});

describe("an answer that breaks", () => {
  test("off before its head is broken, not unreachable", async () => {
    const abrupt = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.end();
        },
      },
    });
    const error = await errorOf(post(upstream({ baseUrl: `http://127.0.0.1:${abrupt.port}` })));
    expect(error).toEqual({
      kind: "provider_broken",
      message: "The provider 'up' broke the connection off before it answered.",
    });
    abrupt.stop(true);
  });

  test("off because the caller left fails too", async () => {
    await using silent = await silentListener();
    const caller = new AbortController();
    const sending = errorOf(post(upstream({ baseUrl: silent.url }), {}, caller.signal));
    await silent.firstConnection;
    caller.abort();
    expect((await sending).kind).toBe("provider_broken");
  });
});

describe("a redirect", () => {
  test.each([301, 302, 303, 307, 308])("%p is not followed", async (status) => {
    respond = (request) =>
      new URL(request.url).pathname === "/elsewhere"
        ? new Response("followed")
        : new Response(null, { status, headers: { location: "/elsewhere" } });
    const reply = await post(upstream({ headers: { authorization: "secret" } }));
    expect(reply.status).toBe(status);
    expect(requests).toHaveLength(1);
  });
});

describe("an answer that is read whole has a bound", () => {
  const bounded = () => upstream({ maxWholeBytes: 1_000 });

  test.each<[string, () => Response]>([
    ["announced", () => new Response("x".repeat(1_001))],
    ["unannounced", () => new Response(endless())],
    [
      "compressed, against what was asked for",
      () => new Response(gzipSync("x".repeat(100_000)), { headers: { "content-encoding": "gzip" } }),
    ],
  ])("%s: beyond it, it is refused", async (_, answer) => {
    respond = answer;
    const reply = await post(bounded());
    expect(await errorOf(reply.bytes())).toEqual({
      kind: "provider_broken",
      message: "The provider's answer is too large.",
    });
  });

  test.each<[string, () => Response]>([
    ["announced", () => new Response("x".repeat(1_000))],
    ["unannounced", () => new Response(new Blob(["x".repeat(1_000)]).stream())],
    [
      "compressed",
      () => new Response(gzipSync("x".repeat(1_000)), { headers: { "content-encoding": "gzip" } }),
    ],
  ])("%s: up to it, it is given", async (_, answer) => {
    respond = answer;
    expect((await (await post(bounded())).bytes()).length).toBe(1_000);
  });

  test("a body that is not there is empty", async () => {
    respond = () => new Response(null, { status: 204 });
    expect((await (await post(bounded())).bytes()).length).toBe(0);
  });
});

function endless(): ReadableStream {
  return new ReadableStream({ pull: (controller) => controller.enqueue(utf8("x".repeat(100))) });
}

describe("asking for JSON", () => {
  test("gives the object", async () => {
    expect(await upstream().getJson("/models", 30_000)).toEqual({ ok: true });
    expect(requests[0]?.method).toBe("GET");
  });

  test.each<[string, () => Response]>([
    ["another status", () => Response.json({}, { status: 500 })],
    ["a list", () => Response.json([])],
    ["no JSON", () => new Response("<html>")],
    ["nothing", () => new Response(null)],
  ])("%s is a failure", async (_, answer) => {
    respond = answer;
    expect((await errorOf(upstream().getJson("/models", 30_000))).kind).toBe("provider_broken");
  });

  test("does not wait for ever", async () => {
    await using silent = await silentListener();
    expect((await errorOf(upstream({ baseUrl: silent.url }).getJson("/models", 20))).kind).toBe(
      "provider_broken",
    );
  });
});

describe("a provider's error, as the caller sees it", () => {
  const NOW_MS = Date.UTC(2026, 0, 1);
  const told = (status: number, body: string, headers: Record<string, string> = {}) =>
    providerError("up", status, utf8(body), new Headers(headers), NOW_MS);

  test.each([
    [400, '{"error":{"message":"no such field"}}', "no such field"],
    [404, '{"error":"model not found"}', "model not found"],
    [422, '{"message":"too hot"}', "too hot"],
    [413, '{"type":"error","error":{"type":"x","message":"too long"}}', "too long"],
    [400, "<html>nginx</html>", "The provider 'up' refused the request (400)."],
    [418, "", "The provider 'up' refused the request (418)."],
    [400, '{"error":{"message":5}}', "The provider 'up' refused the request (400)."],
  ])("%p %s keeps what is said of the request", (status, body, message) => {
    expect(told(status, body)).toEqual({ kind: "provider_rejected", message, providerStatus: status });
  });

  test.each([
    [401, /refused the gateway's credentials/],
    [403, /refused the gateway's credentials/],
    [407, /refused the gateway's credentials/],
    [402, /refused the gateway's account/],
    [429, /is limiting requests/],
    [500, /failed \(500\)/],
    [529, /failed \(529\)/],
  ])("%p says nothing of what is said of us", (status, message) => {
    const error = told(status, '{"error":{"message":"key sk-secret of org-secret"}}');
    expect(error).toMatchObject({ kind: "provider_rejected", providerStatus: status });
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain("secret");
  });

  test("a redirect is a fault of the provider's", () => {
    expect(told(302, "")).toMatchObject({
      kind: "provider_broken",
      message: expect.stringContaining("not followed"),
    });
  });

  test.each<[Record<string, string>, number | undefined]>([
    [{}, undefined],
    [{ "retry-after": "7" }, 7_000],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": "1.5" }, 1_500],
    [{ "retry-after": "0.0001" }, 1],
    [{ "retry-after-ms": "1500" }, 1_500],
    [{ "retry-after-ms": "12.3" }, 13],
    [{ "retry-after-ms": "20", "retry-after": "7" }, 20],
    [{ "retry-after-ms": "soon", "retry-after": "7" }, 7_000],
    [{ "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT" }, 30_000],
    [{ "retry-after": "Wed, 31 Dec 2025 23:59:00 GMT" }, 0],
    [{ "retry-after": "" }, undefined],
    [{ "retry-after-ms": "" }, undefined],
    [{ "retry-after": "-5" }, undefined],
    [{ "retry-after": "soon" }, undefined],
    [{ "retry-after": "Infinity" }, undefined],
    [{ "retry-after": "9".repeat(400) }, undefined],
  ])("%j: come back after %p ms", (headers, retryAfterMs) => {
    expect(told(429, "", headers).retryAfterMs).toBe(retryAfterMs);
  });
});
