import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type OpenAI from "openai";
import type { TestGateway } from "../../support/gateway.ts";
import { openAiClient } from "../../support/official-clients.ts";
import { smolLm2Path, smolLm2SkipReason } from "../../support/smollm2.ts";
import { rowOf, startLocalGateway, toldUsage } from "./local-gateway.ts";

/** A real instructed model, as somebody would put it into the models' folder. */
describe.skipIf(smolLm2SkipReason !== undefined)("SmolLM2 in the models' folder", () => {
  const model = "smollm2";
  const request = {
    model,
    messages: [
      { role: "user" as const, content: "What is the capital of France? Answer in one short sentence." },
    ],
    temperature: 0,
    max_tokens: 40,
  };

  let gateway: TestGateway;
  let client: OpenAI;
  beforeAll(async () => {
    gateway = await startLocalGateway({ [model]: smolLm2Path });
    await gateway.run("prices.set", { model, input: "2", output: "3" });
    client = openAiClient(gateway.url, gateway.userKey);
  });
  afterAll(async () => await gateway.close());

  test("is listed under the file's name", async () => {
    const ids = (await client.models.list()).data.map(({ id }) => id);
    expect(ids).toContain(model);
  });

  test("knows the capital of France, whole and streamed, and each token is charged", async () => {
    const { data, request_id } = await client.chat.completions.create(request).withResponse();
    expect(data.choices[0]?.message.content).toContain("Paris");
    expect(data.choices[0]?.finish_reason).toBe("stop");
    const row = await rowOf(gateway, request_id);
    expect(row.usage).toEqual(toldUsage(data.usage));
    const { prompt_tokens = 0, completion_tokens = 0 } = data.usage ?? {};
    expect(row.costNanoUsd).toBe(BigInt(prompt_tokens) * 2_000n + BigInt(completion_tokens) * 3_000n);

    let text = "";
    for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    expect(text).toBe(data.choices[0]?.message.content ?? "");
  });

  test("fills a schema with sense", async () => {
    const schema = {
      type: "object",
      properties: { country: { type: "string", maxLength: 20 }, capital: { enum: ["Paris", "Rome"] } },
      required: ["country", "capital"],
    };
    const answer = await client.chat.completions.create({
      ...request,
      max_tokens: 60,
      response_format: { type: "json_schema", json_schema: { name: "fact", schema } },
    });
    expect(JSON.parse(answer.choices[0]?.message.content ?? "")).toMatchObject({ capital: "Paris" });
  });
});
