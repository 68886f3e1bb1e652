import { describe, expect, test } from "bun:test";
import { gatewayError } from "../../src/core/error.ts";
import type { Principal } from "../../src/core/principal.ts";
import type { Catalog, CatalogModel, InferenceRequest, ProtocolName } from "../../src/engine/ports.ts";
import { mayUse, route } from "../../src/engine/route.ts";
import { fakeProvider } from "../providers/fake-provider.ts";

const CHAT = fakeProvider("chat", [], { speaks: ["openai-chat", "openai-completions"] });
const CLAUDE = fakeProvider("claude", [], { speaks: ["anthropic-messages"] });

function model(
  name: string,
  targets: CatalogModel["targets"],
  more: Partial<CatalogModel> = {},
): CatalogModel {
  return { name, aliases: [], targets, createdAtMs: 0, ...more };
}

const MODELS: Record<string, CatalogModel> = {
  one: model("one", [{ provider: CHAT, model: "x" }]),
  alias: model("one", [{ provider: CHAT, model: "x" }]),
  both: model("both", [
    { provider: CLAUDE, model: "c" },
    { provider: CHAT, model: "a" },
    { provider: CHAT, model: "b" },
  ]),
  broken: model("broken", [], { unavailable: gatewayError("not_configured", "no weights") }),
};

const catalogs: [string, Catalog][] = [
  ["at once", { find: (name) => MODELS[name], list: async () => [] }],
  ["later", { find: async (name) => MODELS[name], list: async () => [] }],
];

function principal(...allowed: string[]): Principal {
  const allowedModels = allowed.length === 0 ? null : new Set(allowed);
  return { accountId: 1, accountHandle: "ann", keyId: 1, role: "user", allowedModels };
}

function asking(name: string, protocol: ProtocolName = "openai-chat"): InferenceRequest {
  return {
    protocol,
    model: name,
    stream: false,
    receivedBytes: 0,
    forgetBody() {},
    promptBytes: () => 0,
    bodyFor: () => new Uint8Array(),
    readAnswer: () => {
      throw new Error("nothing is read here");
    },
  };
}

describe.each(catalogs)("a catalogue that answers %s", (_, catalog) => {
  test("gives those targets that speak the caller's protocol, in their order", async () => {
    const routed = await route(catalog, principal(), asking("both"));
    expect(routed.ok && routed.value.candidates.map((target) => target.model)).toEqual(["a", "b"]);
    const other = await route(catalog, principal(), asking("both", "anthropic-messages"));
    expect(other.ok && other.value.candidates.map((target) => target.model)).toEqual(["c"]);
  });

  test("a model that the key may not use is answered as one that is not there", async () => {
    const missing = await route(catalog, principal(), asking("nothing"));
    const forbidden = await route(catalog, principal("both"), asking("one"));
    expect(missing).toMatchObject({ ok: false, error: { kind: "model_not_found", param: "model" } });
    expect(JSON.stringify(forbidden).replaceAll("one", "nothing")).toBe(JSON.stringify(missing));
  });

  test("an unavailable model is no way to learn what a key may not use", async () => {
    expect(await route(catalog, principal("one"), asking("broken"))).toMatchObject({
      error: { kind: "model_not_found" },
    });
    expect(await route(catalog, principal(), asking("broken"))).toMatchObject({
      error: { kind: "not_configured" },
    });
  });

  test("an alias is allowed where its model is", async () => {
    expect((await route(catalog, principal("one"), asking("alias"))).ok).toBe(true);
  });

  test.each<[string, ProtocolName, RegExp]>([
    [
      "one",
      "anthropic-messages",
      /'chat', which does not speak .*Call it through \/v1\/chat\/completions\.$/,
    ],
    ["one", "ollama-chat", /Call it through \/v1\/chat\/completions/],
    ["both", "ollama-chat", /served by 'claude, chat'.*\/v1\/messages/],
  ])("%s asked for by %s: says which route to take", async (name, protocol, message) => {
    expect(await route(catalog, principal(), asking(name, protocol))).toMatchObject({
      ok: false,
      error: { kind: "protocol_mismatch", message: expect.stringMatching(message) },
    });
  });
});

test("an endless name is not repeated whole", async () => {
  const [, catalog] = catalogs[0] ?? [];
  const refused = catalog && (await route(catalog, principal(), asking("x".repeat(10_000))));
  expect(refused?.ok === false && refused.error.message.length).toBeLessThan(250);
});

test("no list of models means every model; a list means those in it", () => {
  expect([mayUse(principal(), "a"), mayUse(principal("a"), "a"), mayUse(principal("a"), "b")]).toEqual([
    true,
    true,
    false,
  ]);
});
