import { describe, expect, test } from "bun:test";
import { fromUtf8, utf8 } from "../support/bytes.ts";
import { fixtures } from "../support/fixtures.ts";
import { property } from "../support/json-access.ts";
import { decode, LEAST, MAX_DEPTH, PROTOCOLS, protocolNamed } from "./protocol-setup.ts";

const asked = fixtures().filter(
  ({ protocol, request }) => PROTOCOLS.has(protocol) && property(request.body, "model") !== undefined,
);

describe("a request of the fixtures", () => {
  for (const { id, protocol, request } of asked) {
    test(`${id}: its own bytes go on, but for the model's name`, () => {
      const decoded = decode(protocol, request.bytes);
      const model = String(property(request.body, "model"));
      expect(decoded.model).toBe(model);
      expect(decoded.receivedBytes).toBe(request.bytes.length);
      const mustAsk =
        protocol.startsWith("openai-") &&
        decoded.stream &&
        property(property(request.body, "stream_options"), "include_usage") !== true;
      if (mustAsk) {
        expect(JSON.parse(fromUtf8(decoded.bodyFor(model)))).toEqual({
          ...Object(request.body),
          stream_options: { include_usage: true },
        });
        return;
      }
      expect(decoded.bodyFor(model)).toBe(request.bytes);
      const renamed = fromUtf8(request.bytes).replace(`"model":${JSON.stringify(model)}`, '"model":"other"');
      expect(fromUtf8(decoded.bodyFor("other"))).toBe(renamed);
    });
  }
});

describe("every protocol", () => {
  for (const protocol of PROTOCOLS.keys()) {
    const least = LEAST[protocol] ?? {};
    const refusal = (body: Uint8Array | string) => {
      const decoded = protocolNamed(protocol).decodeRequest(typeof body === "string" ? utf8(body) : body);
      return decoded.ok ? "accepted" : [decoded.error.kind, decoded.error.param, decoded.error.message];
    };
    const withLeast = (fields: Record<string, unknown>) =>
      JSON.stringify({ ...least, model: "m", ...fields });

    test(`${protocol}: refuses what is no request, and says what is wrong`, () => {
      const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
      const cases: readonly (readonly [string, Uint8Array | string, string | undefined, RegExp])[] = [
        ["nothing", "", undefined, /no body/],
        ["not JSON", "{", undefined, /not valid JSON/],
        ["a list", "[]", undefined, /must be a JSON object/],
        ["a text", '"model"', undefined, /must be a JSON object/],
        [
          "not UTF-8",
          new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
          undefined,
          /not valid UTF-8/,
        ],
        ["half a character", utf8('{"model":"ü"}').slice(0, -3), undefined, /not valid UTF-8/],
        ["no model", JSON.stringify(least), "model", /'model' is required/],
        ["an empty model", withLeast({ model: "" }), "model", /non-empty string/],
        ["a model of another type", withLeast({ model: ["m"] }), "model", /non-empty string/],
        ["a null model", withLeast({ model: null }), "model", /non-empty string/],
        ["stream as a text", withLeast({ stream: "true" }), "stream", /true or false/],
        ["stream as a number", withLeast({ stream: 1 }), "stream", /true or false/],
        ["the model twice", `{"model":"cheap",${withLeast({}).slice(1)}`, "model", /given twice/],
        [
          "the model twice, once in disguise",
          `{"mo\\u0064el":"cheap",${withLeast({}).slice(1)}`,
          "model",
          /given twice/,
        ],
        ["any field twice", `{"x":1,${withLeast({ x: 2 }).slice(1)}`, "x", /'x' is given twice/],
        [
          "nested too deep",
          `{"deep":${deep(MAX_DEPTH)},${withLeast({}).slice(1)}`,
          undefined,
          /deeper than 32/,
        ],
        ["nested far too deep", `{"deep":${"[".repeat(200_000)}`, undefined, /deeper than 32/],
      ];
      for (const [name, body, param, message] of cases) {
        expect([name, refusal(body)]).toEqual([name, ["bad_request", param, expect.stringMatching(message)]]);
      }
      expect(refusal(`{"deep":${deep(MAX_DEPTH - 1)},${withLeast({}).slice(1)}`)).toBe("accepted");
      expect(refusal(withLeast({ brackets: "[".repeat(500) }))).toBe("accepted");
    });

    test(`${protocol}: hands fields that it does not know on as they came`, () => {
      const odd = '"x":1.0e+2, "big":12345678901234567890, "y" : {"a":[1, 2,\t3 ]},"é":"\\u00e9\\/"';
      const body = `\n{ ${odd}, "model" :\t"m", ${JSON.stringify(least).slice(1, -1) || '"z":0'} }\n`;
      const decoded = decode(protocol, body);
      expect(fromUtf8(decoded.bodyFor("m"))).toBe(fromUtf8(decode(protocol, body).bodyFor("m")));
      expect(fromUtf8(decoded.bodyFor("ü"))).toContain(`${odd}, "model" :\t"ü", `);
      if (!decoded.stream) expect(fromUtf8(decoded.bodyFor("ü"))).toBe(body.replace('"m"', '"ü"'));
    });

    test(`${protocol}: reads stream where it is true, false, null or absent`, () => {
      const byDefault = protocol === "ollama-chat" || protocol === "ollama-generate";
      const seen = [{ stream: true }, { stream: false }, { stream: null }, {}].map(
        (fields) => decode(protocol, withLeast(fields)).stream,
      );
      expect(seen).toEqual([true, false, byDefault, byDefault]);
    });
  }

  const WRONG: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ["openai-chat", {}, "messages"],
    ["openai-chat", { messages: {} }, "messages"],
    ["openai-chat", { messages: null }, "messages"],
    ["openai-completions", { prompt: 7 }, "prompt"],
    ["openai-completions", { prompt: {} }, "prompt"],
    ["openai-embeddings", {}, "input"],
    ["openai-embeddings", { input: null }, "input"],
    ["anthropic-messages", {}, "messages"],
    ["anthropic-messages", { messages: "hi" }, "messages"],
    ["ollama-chat", { messages: "hi" }, "messages"],
    ["ollama-generate", { prompt: [] }, "prompt"],
    ["ollama-embed", { input: 7 }, "input"],
  ];
  for (const [protocol, fields, param] of WRONG) {
    test(`${protocol} refuses ${JSON.stringify(fields)}, naming '${param}'`, () => {
      const decoded = protocolNamed(protocol).decodeRequest(utf8(JSON.stringify({ model: "m", ...fields })));
      expect(decoded).toMatchObject({ ok: false, error: { kind: "bad_request", param } });
    });
  }
});

describe("the estimate of what the model reads", () => {
  const cases: readonly (readonly [string, Record<string, unknown>, number])[] = [
    ["openai-chat", { messages: [{ role: "user", content: "äb" }] }, 3],
    [
      "openai-chat",
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "abc" },
              { type: "image_url", image_url: { url: "data:xxxxxxxx" } },
            ],
          },
        ],
      },
      3,
    ],
    ["openai-completions", { prompt: ["ab", "c"], suffix: "d" }, 4],
    ["openai-embeddings", { input: "世界" }, 6],
    [
      "anthropic-messages",
      {
        system: "ab",
        messages: [{ role: "user", content: [{ type: "image", source: { type: "base64", data: "xxxx" } }] }],
      },
      2,
    ],
    ["ollama-chat", { messages: [{ role: "user", content: "abc", images: ["xxxxxxxxxx"] }] }, 3],
    ["ollama-generate", { prompt: "abc", system: "d", images: ["xxxxxx"] }, 4],
    ["ollama-embed", { input: ["ab", "cd"] }, 4],
  ];
  for (const [protocol, fields, bytes] of cases) {
    test(`${protocol}: ${JSON.stringify(fields).slice(0, 80)} is ${bytes} bytes of text`, () => {
      expect(decode(protocol, JSON.stringify({ model: "m", ...fields })).promptBytes()).toBe(bytes);
    });
  }
});
