import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { fixture } from "../../support/fixtures.ts";
import { ollamaClient } from "../../support/official-clients.ts";
import { replay } from "../../support/replay.ts";
import { hang, json, ndjson, stream } from "../../support/script.ts";
import { type Clients, startClients, thrownBy } from "./client-setup.ts";

let clients: Clients;
beforeAll(async () => {
  clients = await startClients();
});
afterAll(async () => {
  await clients[Symbol.asyncDispose]();
});

const CHAT = { model: "llama-test", messages: [{ role: "user", content: "Hallo 👋" }] };
const CUT = { split: { seed: 6, max: 50 } };

test("chat, whole and as a stream, with tools and thinking", async () => {
  const { upstream, ollama } = clients;
  upstream.reply("*", replay(fixture("ollama/chat")));
  const whole = await ollama.chat({ ...CHAT, stream: false });
  expect(whole.message.content).toBe(fixture("ollama/chat").expect.text ?? "");
  expect(upstream.requests.at(-1)?.json()).toEqual({ ...CHAT, stream: false });

  for (const id of ["chat-stream", "chat-thinking-stream", "chat-tools-stream"]) {
    const one = fixture(`ollama/${id}`);
    upstream.reply("*", replay(one, CUT));
    let [text, thinking] = ["", ""];
    const calls: unknown[] = [];
    for await (const part of await ollama.chat({ ...CHAT, stream: true })) {
      text += part.message.content;
      thinking += part.message.thinking ?? "";
      for (const call of part.message.tool_calls ?? [])
        calls.push([call.function.name, call.function.arguments]);
    }
    expect([id, text, thinking]).toEqual([id, one.expect.text ?? "", one.expect.thinking ?? ""]);
    expect<unknown>(calls).toEqual(
      (one.expect.toolCalls ?? []).map((call) => [call.name, JSON.parse(call.arguments)]),
    );
  }
});

test("generate, whole and as a stream", async () => {
  const { upstream, ollama } = clients;
  const asked = { model: "llama-test", prompt: "Warum?" };
  upstream.reply("*", replay(fixture("ollama/generate")));
  const whole = await ollama.generate({ ...asked, stream: false });
  expect(whole.response).toBe(fixture("ollama/generate").expect.text ?? "");
  const one = fixture("ollama/generate-stream");
  upstream.reply("*", replay(one, CUT));
  let text = "";
  for await (const part of await ollama.generate({ ...asked, stream: true })) text += part.response;
  expect(text).toBe(one.expect.text ?? "");
});

test("embed", async () => {
  const { upstream, ollama, gateway } = clients;
  const one = fixture("ollama/embed");
  upstream.reply("*", replay(one));
  const { embeddings } = await ollama.embed({ model: "llama-test", input: ["Größe", "世界 👋"] });
  expect(embeddings).toEqual((one.expect.vectors ?? []).map((vector) => [...vector]));
  expect(gateway.rows.at(-1)?.usage?.tokens).toEqual({ input: 8, output: 0 });
});

test("list, show and version", async () => {
  const { upstream, ollama } = clients;
  const { models } = await ollama.list();
  expect(models.map(({ name }) => name)).toContain("llama-test");
  expect(models.map(({ name }) => name)).not.toContain("gpt-test");
  upstream.reply("POST /api/show", replay(fixture("ollama/show")));
  const shown = await ollama.show({ model: "llama-test" });
  expect(shown.details.format).toBe("gguf");
  expect(upstream.requests.at(-1)?.json()).toMatchObject({ model: "llama-test" });
  upstream.reply("GET /api/version", replay(fixture("ollama/version")));
  expect(await ollama.version()).toEqual({ version: "0.24.0" });
});

test("aborting a stream stops the provider", async () => {
  const { upstream, ollama, gateway } = clients;
  const { chunks } = fixture("ollama/chat-stream");
  upstream.reply("*", [...stream(chunks.slice(0, 2), "application/x-ndjson").slice(0, -1), hang()]);
  const before = gateway.rows.length;
  const parts = await ollama.chat({ ...CHAT, stream: true });
  let text = "";
  const thrown = await thrownBy(
    (async () => {
      for await (const part of parts) {
        text += part.message.content;
        if (text === "Grüße, 世") parts.abort();
      }
    })(),
  );
  expect(thrown).toMatchObject({ name: "AbortError" });
  await upstream.requests.at(-1)?.closedByPeer;
  const rows = await gateway.rowsAt(before + 1);
  expect(rows.at(-1)).toMatchObject({ status: 499, error: "client_closed", usage: { source: "estimated" } });
});

describe("what the client throws for", () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ["error-400-no-tools", 400, /does not support tools/],
    ["error-404-no-such-model", 404, /model 'nobody' not found/],
    ["error-500-runner", 502, /^The provider 'up-ollama' failed \(500\)\.$/],
  ];
  for (const [id, status, message] of cases) {
    test(`the provider's ${id}`, async () => {
      const { upstream, ollama } = clients;
      for (const act of [
        () => ollama.chat({ ...CHAT, stream: false }),
        async () => await ollama.chat({ ...CHAT, stream: true }),
      ]) {
        upstream.reply("*", replay(fixture(`ollama/${id}`)));
        const thrown = await thrownBy(act());
        expect(thrown).toMatchObject({ name: "ResponseError", status_code: status });
        expect(thrown instanceof Error ? thrown.message : "").toMatch(message);
      }
    });
  }

  test("a wrong key, an unknown model, one of another protocol", async () => {
    const { gateway, ollama } = clients;
    const wrong = ollamaClient(gateway.url, "pk_wrong");
    expect(await thrownBy(wrong.list())).toMatchObject({ status_code: 401 });
    expect(await thrownBy(wrong.chat(CHAT))).toMatchObject({ status_code: 401 });
    expect(await thrownBy(ollama.chat({ ...CHAT, model: "nobody" }))).toMatchObject({ status_code: 404 });
    expect(await thrownBy(ollama.chat({ ...CHAT, model: "gpt-test" }))).toMatchObject({ status_code: 400 });
    const shown = await thrownBy(ollama.show({ model: "gpt-test" }));
    expect(shown).toMatchObject({ status_code: 404, message: "model 'gpt-test' not found" });
  });

  test("an error line inside a stream, and a stream without its last line", async () => {
    const { upstream, ollama } = clients;
    const one = fixture("ollama/error-mid-stream");
    upstream.reply("*", replay(one, CUT));
    expect(String(await thrownBy(readAll(ollama.chat({ ...CHAT, stream: true }))))).toContain(
      one.expect.error?.message ?? "?",
    );
    upstream.reply(
      "*",
      ndjson([{ model: "m", message: { role: "assistant", content: "half" }, done: false }]),
    );
    expect(String(await thrownBy(readAll(ollama.chat({ ...CHAT, stream: true }))))).toContain("cut short");
    upstream.reply("*", json(200, "not JSON"));
    expect(await thrownBy(ollama.chat({ ...CHAT, stream: false }))).toMatchObject({ status_code: 502 });
  });
});

async function readAll(parts: Promise<AsyncIterable<unknown>>): Promise<void> {
  for await (const _ of await parts);
}
