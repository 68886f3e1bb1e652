import { expect, test } from "bun:test";
import { utf8 } from "../../support/bytes.ts";
import { fixture } from "../../support/fixtures.ts";
import { replay } from "../../support/replay.ts";
import { call, ROUTES, startRelay } from "./relay-setup.ts";

const ANSWERS = {
  "anthropic-messages": "anthropic-messages/text",
  "openai-chat": "openai-chat/text",
  "ollama-chat": "ollama/chat",
} as const;

interface HeaderCase {
  readonly name: string;
  readonly protocol: keyof typeof ANSWERS;
  readonly sent: Readonly<Record<string, string>>;
  readonly seen: Readonly<Record<string, string | undefined>>;
}

const CASES: readonly HeaderCase[] = [
  {
    // Regression: the default version was sent in the place of the caller's own.
    name: "the caller's version of Anthropic's API is asked for",
    protocol: "anthropic-messages",
    sent: { "anthropic-version": "2026-10-21", "anthropic-beta": "a-2026-01-01,b-2026-02-02" },
    seen: { "anthropic-version": "2026-10-21", "anthropic-beta": "a-2026-01-01,b-2026-02-02" },
  },
  {
    name: "the first version of Anthropic's API is asked for where the caller names none",
    protocol: "anthropic-messages",
    sent: {},
    seen: { "anthropic-version": "2023-06-01", "anthropic-beta": undefined },
  },
  {
    name: "OpenAI's beta header goes through, the caller's organisation and project do not",
    protocol: "openai-chat",
    sent: {
      "openai-beta": "assistants=v2",
      "openai-organization": "org-theirs",
      "openai-project": "proj-theirs",
    },
    seen: { "openai-beta": "assistants=v2", "openai-organization": undefined, "openai-project": undefined },
  },
  {
    name: "what belongs to the caller's connection, address or cookies stays here",
    protocol: "ollama-chat",
    sent: {
      cookie: "session=1",
      "x-forwarded-for": "10.0.0.1",
      "user-agent": "their-client/1",
      "accept-encoding": "gzip",
      "x-anything": "1",
    },
    seen: {
      cookie: undefined,
      "x-forwarded-for": undefined,
      "user-agent": "parallama",
      "accept-encoding": "identity",
      "x-anything": undefined,
    },
  },
];

for (const { name, protocol, sent, seen } of CASES) {
  test(name, async () => {
    await using relay = await startRelay(["m"]);
    const { upstream, gateway } = relay;
    upstream.replyAlways("*", replay(fixture(ANSWERS[protocol])));
    const body = utf8('{"model":"m","max_tokens":9,"messages":[],"stream":false}');
    const got = await call(gateway, { path: ROUTES[protocol], body, headers: sent });
    expect(got.status).toBe(200);
    const asked = upstream.requests.at(-1);
    const shown = Object.fromEntries(Object.keys(seen).map((header) => [header, asked?.header(header)]));
    expect(shown).toEqual(seen);
  });
}

test("the provider's own headers about our account do not reach the caller", async () => {
  await using relay = await startRelay(["m"]);
  const { upstream, gateway } = relay;
  upstream.replyAlways("*", replay(fixture("anthropic-messages/text-stream-ping")));
  const body = utf8('{"model":"m","max_tokens":9,"messages":[],"stream":true}');
  const got = await call(gateway, { path: "/v1/messages", body });
  const names = [...got.headers.keys()].filter((name) => /organization|ratelimit|cookie|set-/.test(name));
  expect(names).toEqual([]);
  expect(got.headers.get("request-id")).toBe(got.headers.get("x-request-id"));
  expect(got.headers.get("request-id")).not.toContain("Fixture");
});
