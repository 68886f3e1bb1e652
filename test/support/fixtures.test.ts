import { describe, expect, test } from "bun:test";
import { fromUtf8 } from "./bytes.ts";
import { fixture, fixtureFiles, fixtureJson, fixtures, knownTokens, type WireFixture } from "./fixtures.ts";
import { isObject, property, stringAt } from "./json-access.ts";
import { replay } from "./replay.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";
import { parseSse } from "./sse.ts";

const buckets = ["inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens"];
const finishes =
  "stop stop_sequence length context_window tool_calls refusal content_filter pause load error".split(" ");

describe("every fixture", () => {
  test("has the parts of its form and no others", () => {
    for (const file of fixtureFiles()) {
      const json = fixtureJson(file);
      if (!isObject(json)) throw new Error(`${file} is not an object`);
      const known = ["source", "note", "protocol", "request", "response", "expect"];
      expect([file, Object.keys(json).filter((name) => !known.includes(name))]).toEqual([file, []]);
      const response = property(json, "response");
      const bodies = ["body", "chunks"].filter((name) => property(response, name) !== undefined);
      expect([file, bodies.length]).toEqual([file, 1]);
    }
  });

  test("names a page of the provider's documentation", () => {
    const pages = {
      openai: "https://platform.openai.com/docs/",
      anthropic: "https://platform.claude.com/docs/",
      ollama: /^https:\/\/(github\.com\/ollama\/ollama\/blob\/main\/docs\/|docs\.ollama\.com\/)/,
    };
    for (const { id, protocol, source } of fixtures()) {
      const page =
        pages[
          protocol.split("-")[0] === "openai"
            ? "openai"
            : protocol.startsWith("ollama")
              ? "ollama"
              : "anthropic"
        ];
      const follows = typeof page === "string" ? source.startsWith(page) : page.test(source);
      expect([id, follows]).toEqual([id, true]);
      expect([
        id,
        id.startsWith("ollama/") ? protocol.startsWith("ollama-") : id.startsWith(`${protocol}/`),
      ]).toEqual([id, true]);
    }
  });

  test("expects usage in disjoint buckets, a known finish, and an error exactly where there is one", () => {
    for (const { id, status, expect: expected } of fixtures()) {
      const { usage, finish, error } = expected;
      if (usage !== null) {
        expect([id, Object.keys(usage)]).toEqual([id, buckets]);
        for (const count of Object.values(usage))
          expect([id, count === null || (Number.isSafeInteger(count) && count >= 0)]).toEqual([id, true]);
        expect([id, (usage.reasoningTokens ?? 0) <= (usage.outputTokens ?? Number.MAX_VALUE)]).toEqual([
          id,
          true,
        ]);
      }
      expect([id, finish === null || finishes.includes(finish)]).toEqual([id, true]);
      expect([id, error !== undefined]).toEqual([id, status >= 400 || finish === "error"]);
      if (error !== undefined) expect([id, error.status]).toEqual([id, status]);
    }
  });

  test("expects the text, the model and the token sum that its answer has", () => {
    for (const one of fixtures()) {
      const events = eventsOf(one);
      const { text, model, usage } = one.expect;
      if (text !== undefined) expect([one.id, events.map(textIn).join("")]).toEqual([one.id, text]);
      const named = events.map(modelIn).find((name) => name !== undefined);
      if (model !== null) expect([one.id, named]).toEqual([one.id, model]);
      const total = events.map(totalIn).findLast((sum) => sum !== undefined);
      if (usage === null || total === undefined) continue;
      const { reasoning: _, ...disjoint } = knownTokens(usage);
      expect([one.id, Object.values(disjoint).reduce((sum, count) => sum + count, 0)]).toEqual([
        one.id,
        total,
      ]);
    }
  });

  test("is covered where it matters", () => {
    const ids = fixtures().map(({ id }) => id);
    for (const kind of ["openai-chat", "anthropic-messages", "ollama"])
      for (const status of ["400", "404"])
        expect(ids.some((id) => id.startsWith(`${kind}/error-${status}`))).toBe(true);
    const nonAscii = fixtures().filter(
      ({ expect: { text } }) => text !== undefined && /\P{ASCII}/u.test(text),
    );
    expect(nonAscii.length).toBeGreaterThan(20);
    expect(() => fixture("openai-chat/nobody")).toThrow("no fixture");
  });

  test("comes out of the scripted upstream byte for byte", async () => {
    await using upstream = await scriptedUpstream();
    for (const one of fixtures()) {
      upstream.reply("*", replay(one, { split: "inside-utf8", paced: false }));
      const response = await fetch(upstream.url);
      expect([one.id, response.status]).toEqual([one.id, one.status]);
      for (const [name, value] of Object.entries(one.headers)) expect(response.headers.get(name)).toBe(value);
      expect(await response.text()).toBe(fromUtf8(one.body));
    }
    expect(upstream.connections.accepted).toBe(1);
  });
});

/** The JSON documents of an answer, in order. */
function eventsOf({ stream, headers, body }: WireFixture): unknown[] {
  const text = fromUtf8(body);
  if (!stream) return [JSON.parse(text)];
  if (headers["content-type"]?.includes("ndjson"))
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  return parseSse(body)
    .filter(({ data }) => data !== "[DONE]")
    .map(({ data }) => JSON.parse(data));
}

function textIn(event: unknown): string {
  const choices = property(event, "choices");
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const content = property(event, "content");
  const blocks = Array.isArray(content)
    ? content.map((block: unknown) => stringAt(block, "text") ?? "").join("")
    : "";
  const delta = property(event, "delta");
  return (
    stringAt(choice, "text") ??
    stringAt(property(choice, "message") ?? property(choice, "delta"), "content") ??
    (stringAt(delta, "type") === "text_delta" ? stringAt(delta, "text") : undefined) ??
    stringAt(property(event, "message"), "content") ??
    stringAt(event, "response") ??
    blocks
  );
}

function modelIn(event: unknown): string | undefined {
  return stringAt(event, "model") ?? stringAt(property(event, "message"), "model");
}

/** The sum that an answer states for itself; Anthropic and Ollama state none, so their parts are added. */
function totalIn(event: unknown): number | undefined {
  const usage = property(event, "usage");
  const count = (value: unknown, name: string) => Number(property(value, name) ?? 0);
  if (typeof property(usage, "total_tokens") === "number") return count(usage, "total_tokens");
  if (typeof property(usage, "input_tokens") === "number")
    return ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
      .map((name) => count(usage, name))
      .reduce((sum, part) => sum + part, 0);
  const counted = ["prompt_eval_count", "eval_count"].filter((name) => property(event, name) !== undefined);
  return counted.length === 0 ? undefined : counted.reduce((sum, name) => sum + count(event, name), 0);
}
