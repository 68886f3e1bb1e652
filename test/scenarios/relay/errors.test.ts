import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fromUtf8, utf8 } from "../../support/bytes.ts";
import { property } from "../../support/json-access.ts";
import { replay } from "../../support/replay.ts";
import { bytes, close, closeEarly, garbage, head, json, reset, type Script } from "../../support/script.ts";
import {
  call,
  modelsOf,
  type Received,
  type Relay,
  type RelayedProtocol,
  ROUTES,
  relayedFixtures,
  startRelay,
} from "./relay-setup.ts";

const refused = relayedFixtures(({ status }) => status !== 200);
const ABOUT_THE_REQUEST = new Set([400, 404, 409, 413, 415, 422]);

let relay: Relay;
beforeAll(async () => {
  relay = await startRelay(["m", ...modelsOf(refused.map(({ request }) => request.body))]);
});
afterAll(async () => {
  await relay[Symbol.asyncDispose]();
});

describe("a provider's error about the request", () => {
  for (const one of refused.filter(({ status }) => ABOUT_THE_REQUEST.has(status))) {
    test(`${one.id} is relayed as it is`, async () => {
      const { status } = one;
      const got = await provoke(one);
      expect([got.status, fromUtf8(got.body)]).toEqual([status, fromUtf8(one.body)]);
      expect(got.rows).toMatchObject([
        { status, error: "provider_rejected", provider_status: status, ...NOTHING_USED },
      ]);
    });
  }
});

describe("a provider's error about us, or about itself", () => {
  for (const one of refused.filter(({ status }) => !ABOUT_THE_REQUEST.has(status))) {
    test(`${one.id} is told in the gateway's own words`, async () => {
      const { protocol, status, headers, expect: expected } = one;
      const got = await provoke(one);
      // A 429 for want of money or quota is no matter of time: clients must not come back for it.
      const unpayable = /quota|spend/.test(one.id);
      const told = status === 429 && !unpayable ? 429 : 502;
      expect(got.status).toBe(told);
      expect(got.headers.get("x-should-retry")).toBe(unpayable ? "false" : null);
      const text = fromUtf8(got.body) + JSON.stringify([...got.headers]);
      for (const secret of [
        expected.error?.message ?? "-",
        "org-",
        "organi",
        "sk-",
        "Fixture",
        "ratelimit",
      ]) {
        expect(text).not.toContain(secret);
      }
      expect(got.headers.get("retry-after")).toBe(headers["retry-after"] ?? null);
      expect(errorOf(protocol, got)).toEqual(shapeOf(protocol, told, unpayable ? "provider_account" : null));
      expect(got.rows).toMatchObject([
        { status: told, error: "provider_rejected", provider_status: status, ...NOTHING_USED },
      ]);
    });
  }

  test("a 400 that speaks of our money is not handed on", async () => {
    const words = "Your credit balance is too low to access the Anthropic API.";
    relay.upstream.reply(
      "*",
      json(400, { type: "error", error: { type: "invalid_request_error", message: words } }),
    );
    const body = utf8(JSON.stringify({ model: "m", max_tokens: 5, messages: [] }));
    const got = await call(relay.gateway, { path: "/v1/messages", body });
    expect(got.status).toBe(502);
    expect(fromUtf8(got.body)).not.toContain("credit balance");
    expect(got.headers.get("x-should-retry")).toBe("false");
  });
});

/** Makes the upstream answer so. The gateway itself refuses a request without a model, so each gets one. */
async function provoke(one: (typeof refused)[number]): Promise<Received> {
  relay.upstream.reply("*", replay(one));
  const body = utf8(JSON.stringify({ model: "m", ...Object(one.request.body) }));
  return await call(relay.gateway, { path: one.request.path, body, headers: one.request.headers });
}

interface BrokenCase {
  readonly name: string;
  readonly script: Script;
  readonly status: number;
  readonly kind: string;
  readonly message: RegExp;
  readonly retryAfter?: string;
}

const BROKEN: readonly BrokenCase[] = [
  {
    name: "402",
    script: json(402, { error: { message: "Your organisation org-1 owes 12 USD" } }),
    status: 502,
    kind: "provider_rejected",
    message: /refused the gateway's account/,
  },
  {
    name: "407",
    script: json(407, { error: "proxy user bob" }),
    status: 502,
    kind: "provider_rejected",
    message: /refused the gateway's credentials/,
  },
  {
    name: "a redirect, which is not followed",
    script: [head(302, { Location: "http://169.254.169.254/", "Content-Length": "0" }), { do: "end" }],
    status: 502,
    kind: "provider_broken",
    message: /redirected/,
  },
  {
    name: "404 that is not JSON",
    script: json(404, "<html>nginx</html>", { "Content-Type": "text/html" }),
    status: 404,
    kind: "provider_rejected",
    message: /refused the request \(404\)/,
  },
  {
    name: "a status of its own",
    script: json(418, { error: { message: "a teapot" } }),
    status: 418,
    kind: "provider_rejected",
    message: /a teapot/,
  },
  {
    name: "429 with a moment in milliseconds",
    script: json(429, {}, { "retry-after-ms": "1500", "retry-after": "7" }),
    status: 429,
    kind: "provider_rejected",
    message: /limiting requests/,
    retryAfter: "2",
  },
  {
    name: "503 that is not JSON",
    script: json(503, "overloaded at 10.1.2.3", { "Content-Type": "text/plain", "Retry-After": "3" }),
    status: 502,
    kind: "provider_rejected",
    message: /failed \(503\)/,
    retryAfter: "3",
  },
  {
    name: "200 that is not JSON",
    script: json(200, "<html>"),
    status: 502,
    kind: "provider_broken",
    message: /could not be understood/,
  },
  {
    name: "200 that is a list",
    script: json(200, []),
    status: 502,
    kind: "provider_broken",
    message: /could not be understood/,
  },
  {
    name: "a body that ends too early",
    script: closeEarly('{"choices":[]'),
    status: 502,
    kind: "provider_broken",
    message: /broke off/,
  },
  {
    name: "no HTTP at all",
    script: garbage(),
    status: 502,
    kind: "provider_broken",
    message: /broke the connection off/,
  },
  {
    name: "a connection broken before the head",
    script: [reset()],
    status: 502,
    kind: "provider_broken",
    message: /broke the connection off/,
  },
  {
    name: "half a head",
    script: [bytes("HTTP/1.1 200 OK\r\nContent-"), close()],
    status: 502,
    kind: "provider_broken",
    message: /broke the connection off/,
  },
];

describe("a provider that answers", () => {
  for (const { name, script, status, kind, message, retryAfter } of BROKEN) {
    test(`${name} becomes ${status} in each protocol's shape`, async () => {
      for (const protocol of ["openai-chat", "anthropic-messages", "ollama-chat"] as const) {
        relay.upstream.reply("*", script);
        const body = utf8('{"model":"m","max_tokens":9,"messages":[],"stream":false}');
        const got = await call(relay.gateway, { path: ROUTES[protocol], body });
        expect([protocol, got.status]).toEqual([protocol, status]);
        expect(messageOf(got)).toMatch(message);
        expect(fromUtf8(got.body)).not.toMatch(/org-1|bob|169\.254|nginx|10\.1\.2\.3/);
        expect(got.headers.get("retry-after")).toBe(retryAfter ?? null);
        expect(got.rows).toMatchObject([{ status, error: kind, ...NOTHING_USED }]);
      }
    });
  }
});

const NOTHING_USED = { input_tokens: null, output_tokens: null, usage_source: null, cost_nano_usd: 0 };

function bodyOf(got: Received): unknown {
  return JSON.parse(fromUtf8(got.body));
}

function messageOf(got: Received): unknown {
  const error = property(bodyOf(got), "error");
  return typeof error === "string" ? error : property(error, "message");
}

/** The body without what is in every message and every id. */
function errorOf(protocol: RelayedProtocol, got: Received): unknown {
  const body = bodyOf(got);
  if (protocol.startsWith("ollama-")) return Object.keys(Object(body));
  const { message: _, ...rest } = Object(property(body, "error"));
  return {
    ...Object(body),
    error: rest,
    ...(protocol === "anthropic-messages" ? { request_id: "its id" } : {}),
  };
}

function shapeOf(protocol: RelayedProtocol, status: number, code: string | null): unknown {
  const limited = status === 429;
  if (protocol.startsWith("ollama-")) return ["error"];
  if (protocol === "anthropic-messages") {
    return {
      type: "error",
      error: { type: limited ? "rate_limit_error" : "api_error" },
      request_id: "its id",
    };
  }
  return { error: { type: limited ? "rate_limit_error" : "server_error", param: null, code } };
}
