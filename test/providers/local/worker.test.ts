import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type OpenAI from "openai";
import { modelPathHeaders } from "../../../src/providers/local/model-path-header.ts";
import { demoModelPath } from "../../support/demo-model.ts";
import { patienceMs, temporaryDirectory, WorkerUnderTest } from "./support.ts";

setDefaultTimeout(patienceMs);

/** The protocol of the worker process, spoken by the official client against a real model. */

describe("local model worker", () => {
  let worker: WorkerUnderTest;
  let client: OpenAI;

  beforeAll(async () => {
    worker = new WorkerUnderTest({ contextTokens: 256 });
    client = worker.client();
    await worker.process.preload([demoModelPath()]);
  });
  afterAll(async () => await worker.stop());

  const ask = (content: string) => [{ role: "user" as const, content }];
  const greedy = { model: "any/name", temperature: 0, max_tokens: 12 };

  describe("chat", () => {
    test("answers in OpenAI's shape", async () => {
      const answer = await client.chat.completions.create({ ...greedy, messages: ask("Hello!") });
      expect(answer.id).toStartWith("chatcmpl-");
      expect(answer).toMatchObject({ object: "chat.completion", model: "any/name" });
      expect(answer.system_fingerprint).toStartWith("fp_");
      expect(Math.abs(answer.created - Date.now() / 1000)).toBeLessThan(600);
      const [choice] = answer.choices;
      expect(choice).toMatchObject({ index: 0, message: { role: "assistant" } });
      expect(["stop", "length"]).toContain(choice?.finish_reason ?? "");
      const { prompt_tokens = 0, completion_tokens = 0, total_tokens } = answer.usage ?? {};
      expect(prompt_tokens).toBeGreaterThan(0);
      expect(completion_tokens).toBeLessThanOrEqual(12);
      expect(total_tokens).toBe(prompt_tokens + completion_tokens);
    });

    test("streams the same answer, piece by piece", async () => {
      const messages = ask("Hello!");
      const whole = await client.chat.completions.create({ ...greedy, messages });
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      const options = { stream: true, stream_options: { include_usage: true } } as const;
      for await (const chunk of await client.chat.completions.create({ ...greedy, ...options, messages })) {
        chunks.push(chunk);
      }
      expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: "assistant", content: "" });
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
      expect(text).toBe(whole.choices[0]?.message.content ?? "");
      expect(chunks.length).toBeGreaterThan(3);
      const last = chunks.at(-1);
      expect(last?.choices).toEqual([]);
      expect(last?.usage).toEqual(whole.usage ?? null);
      expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe(whole.choices[0]?.finish_reason);
      expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
    });

    test("a stream says nothing of usage unless asked, and ends with [DONE]", async () => {
      const body = { ...greedy, messages: ask("Hello!"), stream: true };
      const response = await worker.request("/v1/chat/completions", body);
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      const lines = (await response.text()).split("\n\n");
      expect(lines.at(-2)).toBe("data: [DONE]");
      expect(lines.join("")).not.toContain("usage");
    });

    test("the client's own stream helper is content", async () => {
      const stream = client.chat.completions.stream({ ...greedy, messages: ask("Hello!") });
      const final = await stream.finalChatCompletion();
      expect(final.choices[0]?.message.role).toBe("assistant");
    });

    test("takes content in parts, every role, and the newer name of the token limit", async () => {
      const text = (value: string) => [{ type: "text" as const, text: value }];
      const limit = { model: "m", temperature: 0, max_completion_tokens: 3 };
      const plain = await client.chat.completions.create({ ...limit, messages: ask("Hello!") });
      const parts = await client.chat.completions.create({
        ...limit,
        messages: [{ role: "user", content: [...text("Hel"), ...text("lo!")] }],
      });
      expect(parts.choices[0]?.message.content).toBe(plain.choices[0]?.message.content ?? "");
      expect(plain.usage?.completion_tokens).toBeLessThanOrEqual(3);
      const roles = await client.chat.completions.create({
        ...limit,
        messages: [
          { role: "developer", content: "Be brief." },
          { role: "user", content: "Hello!" },
          { role: "assistant", content: "Hi." },
          { role: "user", content: "Again!" },
        ],
      });
      expect(roles.choices).toHaveLength(1);
    });

    test("the same seed gives the same answer, another seed another one", async () => {
      const hot = { model: "m", temperature: 2, top_k: 0, min_p: 0, max_tokens: 16, messages: ask("Hello!") };
      const text = async (seed: number) => {
        const answer = await client.chat.completions.create({ ...hot, seed });
        return answer.choices[0]?.message.content ?? "";
      };
      expect(await text(7)).toBe(await text(7));
      const others = [await text(1), await text(2), await text(3)];
      expect(new Set([await text(7), ...others]).size).toBeGreaterThan(1);
    });

    test("a token limit of one gives one token and says so", async () => {
      const answer = await client.chat.completions.create({
        ...greedy,
        max_tokens: 1,
        messages: ask("Hello!"),
      });
      expect(answer.usage?.completion_tokens).toBeLessThanOrEqual(1);
      if (answer.usage?.completion_tokens === 1) expect(answer.choices[0]?.finish_reason).toBe("length");
    });

    test("the answer ends where the context does", async () => {
      const { contextTokens = 0 } = (await worker.process.health())?.models[0] ?? {};
      const room = 20;
      const prompt = Array.from({ length: contextTokens - room }, () => 1);
      const answer = await client.completions.create({
        model: "m",
        prompt,
        max_tokens: 1000,
        temperature: 2,
      });
      expect(answer.usage?.prompt_tokens).toBe(contextTokens - room);
      expect(answer.usage?.completion_tokens).toBeLessThanOrEqual(room);
    });

    test("a bias decides what comes", async () => {
      const request = { ...greedy, max_tokens: 4, logit_bias: { "100": 100 } };
      const biased = await client.chat.completions.create({ ...request, messages: ask("Hello!") });
      const prompt = [100, 100, 100, 100];
      const expected = await client.completions.create({ model: "m", prompt, echo: true, max_tokens: 0 });
      expect(biased.choices[0]?.message.content).toBe(expected.choices[0]?.text ?? "");
    });

    test.each(["frequency_penalty", "repeat_penalty"])("%s makes it vary", async (name) => {
      // Two tokens far before all others: what was said loses to what was not.
      const request = { ...greedy, max_tokens: 60, logit_bias: { "100": 100, "200": 100 }, [name]: 2 };
      const answer = await client.completions.create({ ...request, prompt: "x" });
      const echo = { model: "m", prompt: [[100], [200]], echo: true, max_tokens: 0 };
      const [first, second] = (await client.completions.create(echo)).choices.map((choice) => choice.text);
      expect(answer.choices[0]?.text).toContain(first ?? "?");
      expect(answer.choices[0]?.text).toContain(second ?? "?");
    });
  });

  describe("stop strings", () => {
    test("end the answer before them, wherever the tokens are cut", async () => {
      const prompt = "Once upon a time";
      const create = async (stop?: string | string[]) =>
        await client.completions.create({
          ...greedy,
          prompt,
          max_tokens: 16,
          ...(stop === undefined ? {} : { stop }),
        });
      const whole = (await create()).choices[0]?.text ?? "";
      for (const [from, to] of [
        [2, 5],
        [5, 12],
        [1, 3],
      ] as const) {
        const stop = whole.slice(from, to);
        if (stop === "") continue;
        const answer = (await create(["\u0001never", stop])).choices[0];
        expect(answer?.text).toBe(whole.slice(0, whole.indexOf(stop)));
        expect(answer?.finish_reason).toBe("stop");
      }
    });

    test("are withheld from a stream too", async () => {
      const request = { ...greedy, prompt: "Once upon a time", max_tokens: 16 };
      const whole = (await client.completions.create(request)).choices[0]?.text ?? "";
      const stop = whole.slice(3, 8);
      let streamed = "";
      for await (const chunk of await client.completions.create({ ...request, stop, stream: true })) {
        streamed += chunk.choices[0]?.text ?? "";
      }
      expect(streamed).toBe(whole.slice(0, whole.indexOf(stop)));
    });
  });

  describe("structured output", () => {
    const create = async (
      response_format: OpenAI.ChatCompletionCreateParams["response_format"],
      seed: number,
    ) => {
      const answer = await client.chat.completions.create({
        model: "m",
        messages: ask("Describe a person as JSON."),
        temperature: 1,
        max_tokens: 200,
        seed,
        ...(response_format === undefined ? {} : { response_format }),
      });
      return answer.choices[0];
    };

    test("follows a JSON schema", async () => {
      const schema = {
        type: "object",
        properties: {
          name: { type: "string", maxLength: 8 },
          age: { type: "integer", minimum: 18, maximum: 99 },
          mood: { enum: ["good", "bad"] },
          pets: { type: "array", items: { $ref: "#/$defs/pet" }, minItems: 1, maxItems: 2 },
          nick: { anyOf: [{ type: "null" }, { type: "string", maxLength: 4 }] },
        },
        required: ["name", "age", "mood", "pets", "nick"],
        additionalProperties: false,
        $defs: {
          pet: {
            type: "object",
            properties: { legs: { type: "integer", minimum: 0, maximum: 8 } },
            required: ["legs"],
          },
        },
      };
      for (const seed of [1, 2, 3]) {
        const choice = await create(
          { type: "json_schema", json_schema: { name: "person", strict: true, schema } },
          seed,
        );
        expect(choice?.finish_reason).toBe("stop");
        const value = JSON.parse(choice?.message.content ?? "");
        expect(Object.keys(value)).toEqual(["name", "age", "mood", "pets", "nick"]);
        expect(value.age).toBeWithin(18, 100);
        expect(["good", "bad"]).toContain(value.mood);
        expect(value.pets.length).toBeWithin(1, 3);
        expect(value.pets[0].legs).toBeWithin(0, 9);
      }
    });

    test("in JSON mode what is finished is an object", async () => {
      for (const seed of [1, 2, 3]) {
        const choice = await create({ type: "json_object" }, seed);
        if (choice?.finish_reason !== "stop") continue;
        expect(typeof JSON.parse(choice.message.content ?? "")).toBe("object");
      }
    });
  });

  describe("legacy completions", () => {
    test("continue each of several prompts", async () => {
      const single = await client.completions.create({ ...greedy, prompt: "The sky is" });
      const several = await client.completions.create({ ...greedy, prompt: ["The sky is", "Once"] });
      expect(several).toMatchObject({ object: "text_completion", model: "any/name" });
      expect(several.id).toStartWith("cmpl-");
      expect(several.choices.map((choice) => choice.index)).toEqual([0, 1]);
      expect(several.choices[0]?.text).toBe(single.choices[0]?.text ?? "");
    });

    test("echo the prompt, and can generate nothing at all", async () => {
      const answer = await client.completions.create({
        model: "m",
        prompt: "The sky is",
        echo: true,
        max_tokens: 0,
      });
      expect(answer.choices[0]).toMatchObject({ text: "The sky is", finish_reason: "length" });
      expect(answer.usage?.completion_tokens).toBe(0);
    });

    test("are 16 tokens long unless told otherwise", async () => {
      const answer = await client.completions.create({ model: "m", prompt: "a b c d e f", temperature: 0 });
      expect(answer.usage?.completion_tokens).toBeLessThanOrEqual(16);
    });
  });

  describe("embeddings", () => {
    test("are of length 1, the same in both encodings, and alike for the same text", async () => {
      const input = ["hello", "the quick brown fox", "hello"];
      const float = await client.embeddings.create({ model: "m", input, encoding_format: "float" });
      const base64 = await client.embeddings.create({ model: "m", input, encoding_format: "base64" });
      expect(float.data.map((item) => item.index)).toEqual([0, 1, 2]);
      const [first, second, third] = float.data.map((item) => item.embedding);
      const length = Math.hypot(...(first ?? []));
      expect(length).toBeCloseTo(1, 5);
      expect(third).toEqual(first ?? []);
      expect(second).not.toEqual(first ?? []);
      const encoded: unknown = base64.data[0]?.embedding;
      const bytes = Buffer.from(String(encoded), "base64");
      const decoded = (first ?? []).map((_, index) => bytes.readFloatLE(index * 4));
      expect(decoded).toEqual((first ?? []).map(Math.fround));
      expect(float.usage.prompt_tokens).toBeGreaterThan(2);
      expect(float.usage.total_tokens).toBe(float.usage.prompt_tokens);
    });

    test("take token ids", async () => {
      const answer = await client.embeddings.create({
        model: "m",
        input: [[1, 2, 3], [4]],
        encoding_format: "float",
      });
      expect(answer.data).toHaveLength(2);
    });
  });

  describe("models", () => {
    test("are listed once loaded", async () => {
      const list = await client.models.list();
      expect(list.data.map((model) => model.object)).toEqual(["model"]);
    });

    test("a missing file is 404, and a damaged one 500; the process lives on", async () => {
      const directory = temporaryDirectory();
      const damaged = join(directory.path, "dam aged%41.gguf");
      writeFileSync(damaged, Buffer.concat([Buffer.from("GGUF\u0003\0\0\0"), Buffer.alloc(4000, 7)]));
      const { pid } = worker.process.status();
      const post = async (path: string) => {
        const body = JSON.stringify({ ...greedy, prompt: "x" });
        const init = { method: "POST", body, headers: modelPathHeaders(path) };
        const response = await worker.request("/v1/completions", undefined, init);
        return { status: response.status, body: await response.json() };
      };
      expect(await post(damaged)).toMatchObject({
        status: 500,
        body: { error: { code: "model_load_failed" } },
      });
      const missing = await post(join(directory.path, "none.gguf"));
      expect(missing).toMatchObject({
        status: 404,
        body: { error: { code: "model_not_found", param: "model" } },
      });
      expect(worker.events.some((event) => event.event === "model-failed" && event.path === damaged)).toBe(
        true,
      );
      expect((await client.completions.create({ ...greedy, prompt: "x" })).choices).toHaveLength(1);
      expect(worker.process.status().pid).toBe(pid ?? 0);
      directory.remove();
    });
  });

  test("nothing of a prompt is in an event", () => {
    expect(JSON.stringify(worker.events)).not.toContain("Once upon");
    expect(worker.events.filter((event) => event.event === "internal-error")).toEqual([]);
  });
});
