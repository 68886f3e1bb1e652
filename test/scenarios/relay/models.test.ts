import { describe, expect, test } from "bun:test";
import { fixture } from "../../support/fixtures.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import { property, stringAt } from "../../support/json-access.ts";
import { replay } from "../../support/replay.ts";
import { json } from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { type RelayedProtocol, ROUTES } from "./relay-setup.ts";

/** Two providers of OpenAI's protocol, an Anthropic and an Ollama, with one name in common. */
function catalogYaml(url: string): string {
  return `
providers:
  first: { type: openai-compatible, base_url: "${url}/first", billing: free, models: [shared, only-first] }
  second: { type: openai-compatible, base_url: "${url}/second", billing: free, models: [shared, only-second] }
  claude: { type: anthropic, base_url: "${url}/claude", billing: free, models: [shared, opus] }
  llama: { type: ollama, base_url: "${url}/llama" }
models:
  - { name: house-model, aliases: [hm, "House:8b"], targets: [{ provider: second, model: only-second }] }
  - { name: org/model-with-slash, targets: [{ provider: first, model: only-first }] }
`;
}

interface World extends AsyncDisposable {
  readonly upstream: ScriptedUpstream;
  readonly gateway: TestGateway;
}

async function startWorld(): Promise<World> {
  const upstream = await scriptedUpstream();
  upstream.replyAlways("GET /llama/api/tags", json(200, TAGS));
  for (const provider of ["first", "second"]) {
    upstream.replyAlways(`POST /${provider}/chat/completions`, replay(fixture("openai-chat/text")));
  }
  upstream.replyAlways("POST /claude/v1/messages", replay(fixture("anthropic-messages/text")));
  upstream.replyAlways("POST /llama/v1/chat/completions", replay(fixture("openai-chat/text")));
  upstream.replyAlways("POST /llama/v1/messages", replay(fixture("anthropic-messages/text")));
  upstream.replyAlways("POST /llama/api/chat", replay(fixture("ollama/chat")));
  const gateway = await startGateway({ yaml: catalogYaml(upstream.url) });
  return {
    upstream,
    gateway,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await upstream.close();
    },
  };
}

const TAGS = {
  models: [
    {
      name: "llama3:latest",
      model: "llama3:latest",
      modified_at: "2026-01-02T03:04:05Z",
      size: 42,
      digest: "d",
    },
    { name: "qwen:7b", model: "qwen:7b", modified_at: "2026-01-02T03:04:05Z", size: 43, digest: "e" },
  ],
};

async function ask(gateway: TestGateway, protocol: RelayedProtocol, model: string, key = gateway.userKey) {
  const body = JSON.stringify({ model, max_tokens: 9, messages: [], stream: false });
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await fetch(gateway.url + ROUTES[protocol], { method: "POST", headers, body });
  const answer: unknown = await response.json();
  return { status: response.status, answer };
}

async function list(gateway: TestGateway, path: string, key: string, headers: Record<string, string> = {}) {
  const response = await fetch(gateway.url + path, {
    headers: { authorization: `Bearer ${key}`, ...headers },
  });
  const body: unknown = await response.json();
  return { status: response.status, body };
}

function namesIn(body: unknown): string[] {
  const items = property(body, "data") ?? property(body, "models");
  return (Array.isArray(items) ? items : []).map(
    (item: unknown) => stringAt(item, "id") ?? stringAt(item, "name") ?? "?",
  );
}

describe("a model's name leads to", () => {
  const cases: readonly (readonly [RelayedProtocol, string, string, string])[] = [
    ["openai-chat", "shared", "/first/chat/completions", "shared"],
    ["anthropic-messages", "shared", "/claude/v1/messages", "shared"],
    ["openai-chat", "only-second", "/second/chat/completions", "only-second"],
    ["openai-chat", "second/shared", "/second/chat/completions", "shared"],
    ["openai-chat", "house-model", "/second/chat/completions", "only-second"],
    ["openai-chat", "hm", "/second/chat/completions", "only-second"],
    ["openai-chat", "House:8b", "/second/chat/completions", "only-second"],
    ["openai-chat", "hm:latest", "/second/chat/completions", "only-second"],
    ["openai-chat", "org/model-with-slash", "/first/chat/completions", "only-first"],
    ["ollama-chat", "llama3", "/llama/api/chat", "llama3:latest"],
    ["ollama-chat", "llama3:latest", "/llama/api/chat", "llama3:latest"],
    ["ollama-chat", "llama/llama3", "/llama/api/chat", "llama3:latest"],
    ["ollama-chat", "qwen:7b", "/llama/api/chat", "qwen:7b"],
    ["openai-chat", "qwen:7b", "/llama/v1/chat/completions", "qwen:7b"],
    ["anthropic-messages", "llama3", "/llama/v1/messages", "llama3:latest"],
  ];
  test("the provider that serves it in the caller's protocol, under the provider's own name", async () => {
    await using world = await startWorld();
    const { upstream, gateway } = world;
    for (const [protocol, model, path, sent] of cases) {
      const { status } = await ask(gateway, protocol, model);
      const asked = upstream.requests.at(-1);
      expect([model, status, asked?.path, stringAt(asked?.json(), "model")]).toEqual([
        model,
        200,
        path,
        sent,
      ]);
      expect(gateway.rows.at(-1)).toMatchObject({
        requestedModel: model,
        attempts: [{ providerModel: sent }],
      });
    }
    const canonical = gateway.rows.map(({ requestedModel, model }) => [requestedModel, model]);
    expect(canonical).toContainEqual(["hm:latest", "house-model"]);
    expect(canonical).toContainEqual(["llama3:latest", "llama3"]);
  });

  test("nobody: 404 in each protocol's shape, with a row", async () => {
    await using world = await startWorld();
    const { gateway } = world;
    const message = /does not exist or this key may not use it/;
    for (const [protocol, expected] of [
      [
        "openai-chat",
        {
          error: {
            type: "invalid_request_error",
            code: "model_not_found",
            param: "model",
            message: expect.stringMatching(message),
          },
        },
      ],
      [
        "anthropic-messages",
        { type: "error", error: { type: "not_found_error", message: expect.stringMatching(message) } },
      ],
      ["ollama-chat", { error: expect.stringMatching(message) }],
    ] as const) {
      for (const model of ["nobody", "first/nobody", "nowhere/shared", "x".repeat(5_000)]) {
        const { status, answer } = await ask(gateway, protocol, model);
        expect(status).toBe(404);
        expect(answer).toMatchObject(expected);
        expect(JSON.stringify(answer).length).toBeLessThan(500);
        expect(gateway.rows.at(-1)).toMatchObject({
          status: 404,
          error: "model_not_found",
          model: null,
          attempts: [],
        });
      }
    }
  });

  test("a provider of another protocol: refused in the caller's shape, naming the route that works", async () => {
    await using world = await startWorld();
    const { gateway } = world;
    const text = expect.stringMatching(/translation between protocols is not available yet.*\/v1\/messages/);
    const openAi = await ask(gateway, "openai-chat", "opus");
    expect(openAi).toMatchObject({
      status: 400,
      answer: { error: { message: text, code: "protocol_mismatch", param: "model" } },
    });
    expect(await ask(gateway, "ollama-chat", "opus")).toMatchObject({ status: 400, answer: { error: text } });
    const anthropic = await ask(gateway, "anthropic-messages", "only-first");
    expect(anthropic).toMatchObject({
      status: 400,
      answer: {
        type: "error",
        error: {
          type: "invalid_request_error",
          message: expect.stringMatching(/Call it through \/v1\/chat\/completions\.$/),
        },
      },
    });
    expect(gateway.rows.at(-1)).toMatchObject({ status: 400, error: "protocol_mismatch", attempts: [] });
  });
});

describe("a key that may use some models only", () => {
  test("sees them in every list and no other, and cannot call another", async () => {
    await using world = await startWorld();
    const { gateway, upstream } = world;
    await list(gateway, "/v1/models", gateway.userKey); // so that the providers' models are known by name
    const made = await gateway.run("keys.create", {
      username: "me",
      allowedModels: ["hm", "llama3:latest", "shared"],
    });
    const key = stringAt(made, "secret") ?? "";
    const anthropic = { "anthropic-version": "2023-06-01" };

    const lists: readonly (readonly [string, Record<string, string>, readonly string[]])[] = [
      ["/v1/models", {}, ["house-model", "llama3", "shared"]],
      ["/v1/models", anthropic, ["llama3", "shared"]],
      ["/api/tags", {}, ["llama3"]],
      ["/api/models", {}, ["house-model", "llama3", "shared"]],
    ];
    for (const [path, headers, expected] of lists) {
      const { status, body } = await list(gateway, path, key, headers);
      expect([path, status, namesIn(body).sort()]).toEqual([path, 200, [...expected]]);
      const everything = namesIn((await list(gateway, path, gateway.userKey, headers)).body);
      expect(everything.length).toBeGreaterThan(expected.length);
    }

    for (const [id, status] of [
      ["shared", 200],
      ["hm", 200],
      ["house-model", 200],
      ["llama3:latest", 200],
      ["only-first", 404],
      ["org/model-with-slash", 404],
      // The public model that it may use, at one of its providers.
      ["second/shared", 200],
      ["qwen:7b", 404],
      ["nobody", 404],
    ] as const) {
      expect([id, (await list(gateway, `/v1/models/${id}`, key)).status]).toEqual([id, status]);
      const before = upstream.requests.length;
      expect([id, (await ask(gateway, "openai-chat", id, key)).status]).toEqual([id, status]);
      expect(upstream.requests.length).toBe(before + (status === 200 ? 1 : 0));
    }
    const refused = await ask(gateway, "openai-chat", "only-first", key);
    const unknown = await ask(gateway, "openai-chat", "nobody-at-all", key);
    const said = (text: unknown) =>
      JSON.stringify(text).replace("only-first", "X").replace("nobody-at-all", "X");
    expect(said(refused)).toBe(said(unknown));
  });

  test("does not gain a model by an alias, a provider's name or a tag", async () => {
    await using world = await startWorld();
    const { gateway } = world;
    const made = await gateway.run("keys.create", { username: "me", allowedModels: ["shared"] });
    const key = stringAt(made, "secret") ?? "";
    for (const model of ["hm", "first/only-first", "only-first:latest", "llama/llama3", "Shared"]) {
      expect([model, (await ask(gateway, "openai-chat", model, key)).status]).toEqual([model, 404]);
    }
    expect((await ask(gateway, "openai-chat", "shared:latest", key)).status).toBe(200);
  });
});

describe("a paid provider", () => {
  const yaml = (url: string, pricing = "") => `
providers:
  paid: { type: openai-compatible, base_url: "${url}/paid", models: [dear] }
${pricing}`;

  test("is not used for a model without a price, until one is set", async () => {
    await using upstream = await scriptedUpstream();
    upstream.replyAlways("POST /paid/chat/completions", replay(fixture("openai-chat/text")));
    await using gateway = await startGateway({ yaml: yaml(upstream.url) });
    const refused = await ask(gateway, "openai-chat", "dear");
    expect(refused).toMatchObject({
      status: 503,
      answer: { error: { code: "model_not_priced", param: "model" } },
    });
    expect(stringAt(property(refused.answer, "error"), "message")).toContain("parallama price set dear");
    expect(upstream.requests.length).toBe(0);
    expect(gateway.rows).toMatchObject([
      { status: 503, error: "model_not_priced", model: "dear", costNanoUsd: 0n, attempts: [] },
    ]);

    await gateway.run("prices.set", { model: "dear", input: "1", output: "2" });
    expect((await ask(gateway, "openai-chat", "dear")).status).toBe(200);
    // 31 tokens in at 1 USD and 18 out at 2 USD a million.
    expect(gateway.rows.at(-1)).toMatchObject({ status: 200, costNanoUsd: 67_000n });
  });

  test("is paid by the provider's price where the model itself has none", async () => {
    await using upstream = await scriptedUpstream();
    upstream.replyAlways("POST /paid/chat/completions", replay(fixture("openai-chat/text")));
    await using gateway = await startGateway({ yaml: yaml(upstream.url) });
    await gateway.run("prices.set", { model: "dear", provider: "paid", input: "1", output: "2" });
    await ask(gateway, "openai-chat", "dear");
    expect(gateway.rows.at(-1)).toMatchObject({ costNanoUsd: 67_000n, attempts: [{ costNanoUsd: 67_000n }] });
    await gateway.run("prices.set", { model: "dear", input: "10", output: "20" });
    await ask(gateway, "openai-chat", "dear");
    expect(gateway.rows.at(-1)).toMatchObject({
      costNanoUsd: 670_000n,
      attempts: [{ costNanoUsd: 67_000n }],
    });
  });
});

test("a name that a silent provider may well have is not said to be unknown", async () => {
  await using upstream = await scriptedUpstream();
  upstream.replyAlways("GET /paid/models", json(500, "no"));
  const yaml = `providers: { paid: { type: openai-compatible, base_url: "${upstream.url}/paid" } }`;
  await using gateway = await startGateway({ yaml });
  const { status, answer } = await ask(gateway, "openai-chat", "some-model");
  expect(status).toBe(502);
  expect(answer).toMatchObject({ error: { code: "provider_unreachable", type: "server_error" } });
  expect(JSON.stringify(answer)).not.toContain("127.0.0.1");
  expect(gateway.rows).toMatchObject([{ status: 502, error: "provider_unreachable" }]);
});
