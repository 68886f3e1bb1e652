/** Who calls: every way of showing, or not showing, a key, on every route, in the route's own shape. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestGateway } from "../../support/gateway.ts";
import { json } from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { gatewayAt } from "../bad-days/failing-gateway.ts";
import { bodyOf, errorMessage, goodAnswer, SPOKEN } from "../bad-days/spoken.ts";

type Shape = "openai" | "anthropic" | "ollama" | "gateway";

interface Route {
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly shape: Shape;
  readonly body?: unknown;
  readonly admin?: boolean;
}

const ROUTES: readonly Route[] = [
  ...SPOKEN.map((spoken) => ({ ...spoken, method: "POST" as const, body: bodyOf(spoken, false) })),
  {
    name: "openai-chat at Ollama's",
    method: "POST",
    path: "/v1/ollama/chat/completions",
    shape: "openai",
    body: { model: "gpt-test", messages: [] },
  },
  { name: "models", method: "GET", path: "/v1/models", shape: "openai" },
  { name: "a model", method: "GET", path: "/v1/models/gpt-test", shape: "openai" },
  { name: "tags", method: "GET", path: "/api/tags", shape: "ollama" },
  { name: "show", method: "POST", path: "/api/show", shape: "ollama", body: { model: "llama-test" } },
  { name: "version", method: "GET", path: "/api/version", shape: "ollama" },
  { name: "all models", method: "GET", path: "/api/models", shape: "gateway" },
  {
    name: "an operation",
    method: "POST",
    path: "/admin/v1/operations/accounts.list",
    shape: "gateway",
    body: {},
    admin: true,
  },
];

let upstream: ScriptedUpstream;
let gateway: TestGateway;
const keys = { good: "", other: "", revoked: "", expired: "", closed: "", mistyped: "", admin: "" };

beforeAll(async () => {
  upstream = await scriptedUpstream();
  gateway = await gatewayAt(upstream.url);
  for (const spoken of SPOKEN) upstream.replyAlways(`POST ${spoken.path}`, () => goodAnswer(spoken, false));
  upstream.replyAlways("POST /api/show", () => json(200, { license: "none" }));
  upstream.replyAlways("GET /api/version", () => json(200, { version: "0.24.0" }));
  keys.admin = gateway.adminKey;
  keys.good = gateway.userKey;
  keys.other = await newKey("me", {});
  keys.revoked = await newKey("me", {});
  await gateway.run("keys.revoke", { key: keys.revoked });
  keys.expired = await newKey("me", { expiresAt: new Date(Date.now() + 1_000).toISOString() });
  await gateway.run("accounts.create", { username: "gone" });
  keys.closed = await newKey("gone", {});
  await gateway.run("accounts.close", { username: "gone" });
  keys.mistyped = `${keys.good.slice(0, -1)}${keys.good.endsWith("a") ? "b" : "a"}`;
  await Bun.sleep(1_100); // the soonest that a key may expire
});

afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

async function newKey(username: string, more: object): Promise<string> {
  const made = (await gateway.run("keys.create", { username, ...more })) as { secret: string };
  return made.secret;
}

const ask = (route: Route, headers: Record<string, string>) =>
  fetch(gateway.url + route.path, {
    method: route.method,
    headers,
    ...(route.body === undefined ? {} : { body: JSON.stringify(route.body) }),
  });

const rightKey = (route: Route) => (route.admin === true ? keys.admin : keys.good);

interface Showing {
  readonly name: string;
  readonly headers: (key: string) => Record<string, string>;
  readonly status: 200 | 400 | 401;
  readonly says?: RegExp;
}

const INVALID = { status: 401, says: /Invalid API key/ } as const;

const SHOWINGS: readonly Showing[] = [
  { name: "as a bearer", headers: (key) => ({ authorization: `Bearer ${key}` }), status: 200 },
  { name: "as x-api-key", headers: (key) => ({ "x-api-key": key }), status: 200 },
  { name: "as a bearer in lower case", headers: (key) => ({ authorization: `bearer ${key}` }), status: 200 },
  {
    name: "as a bearer in upper case",
    headers: (key) => ({ authorization: `BEARER   ${key}` }),
    status: 200,
  },
  { name: "in both", headers: (key) => ({ authorization: `Bearer ${key}`, "x-api-key": key }), status: 200 },
  {
    name: "two different ones",
    headers: (key) => ({ authorization: `Bearer ${key}`, "x-api-key": keys.other }),
    status: 400,
    says: /Two different credentials/,
  },
  {
    name: "a good and a bad one",
    headers: (key) => ({ authorization: `Bearer ${keys.revoked}`, "x-api-key": key }),
    status: 400,
    says: /Two different credentials/,
  },
  { name: "not at all", headers: () => ({}), status: 401, says: /API key required/ },
  { name: "an empty bearer", headers: () => ({ authorization: "Bearer " }), ...INVALID },
  { name: "an empty x-api-key", headers: () => ({ "x-api-key": "" }), ...INVALID },
  { name: "without a scheme", headers: (key) => ({ authorization: key }), ...INVALID },
  {
    name: "with another scheme",
    headers: (key) => ({ authorization: `Basic ${btoa(`:${key}`)}` }),
    ...INVALID,
  },
  {
    name: "in the wrong header",
    headers: (key) => ({ "api-key": key }),
    status: 401,
    says: /API key required/,
  },
  { name: "mistyped", headers: () => ({ authorization: `Bearer ${keys.mistyped}` }), ...INVALID },
  { name: "revoked", headers: () => ({ authorization: `Bearer ${keys.revoked}` }), ...INVALID },
  { name: "expired", headers: () => ({ authorization: `Bearer ${keys.expired}` }), ...INVALID },
  { name: "of a closed account", headers: () => ({ authorization: `Bearer ${keys.closed}` }), ...INVALID },
  { name: "of ten thousand letters", headers: () => ({ "x-api-key": "k".repeat(10_000) }), ...INVALID },
  { name: "of another product", headers: () => ({ authorization: "Bearer sk-proj-abcdef" }), ...INVALID },
];

describe.each(SHOWINGS)("a key shown $name", ({ headers, status, says }) => {
  test.each(ROUTES)("$method $path", async (route) => {
    const asked = upstream.requests.length;
    const response = await ask(route, headers(rightKey(route)));
    expect({ status: response.status, id: response.headers.get("x-request-id") }).toEqual({
      status,
      id: expect.stringMatching(/^[0-9A-Z]{26}$/),
    });
    const text = await response.text();
    if (says === undefined) return;
    const message = errorMessage(route.shape, JSON.parse(text), response.headers.get("x-request-id"));
    expect(message).toMatch(says);
    if (status === 401) expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(upstream.requests).toHaveLength(asked);
    for (const secret of Object.values(keys)) expect(text).not.toContain(secret);
  });
});

test("a key that does not exist and one that was revoked are answered alike", async () => {
  for (const route of ROUTES) {
    const answers = await Promise.all(
      [keys.revoked, keys.expired, keys.closed, "pk_unheard-of"].map(async (key) => {
        const response = await ask(route, { "x-api-key": key });
        return (await response.text()).replace(/"request_id":"\w+"/, "");
      }),
    );
    expect(new Set(answers).size).toBe(1);
  }
});

test("a user's key administrates nothing; an administrator's may also ask", async () => {
  for (const route of ROUTES) {
    const asUser = await ask(route, { "x-api-key": keys.good });
    expect(asUser.status).toBe(route.admin === true ? 403 : 200);
    const body: unknown = await asUser.json();
    if (route.admin === true) expect(errorMessage("gateway", body)).toContain("administrator");
    expect((await ask(route, { "x-api-key": keys.admin })).status).toBe(200);
  }
});
