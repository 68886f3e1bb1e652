import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { TestGateway } from "../../support/gateway.ts";
import { property, stringAt } from "../../support/json-access.ts";
import { type Outcomes, pythonSkipReason, runCases } from "../python/python.ts";
import { startLocalGateway } from "./local-gateway.ts";

describe.skipIf(pythonSkipReason !== undefined)("Python's openai client before a local model", () => {
  let gateway: TestGateway;
  let cases: Outcomes;
  beforeAll(async () => {
    gateway = await startLocalGateway();
    cases = await runCases("local", gateway.url, gateway.userKey);
  });
  afterAll(async () => await gateway.close());

  test("gets the same text whole and streamed", () => {
    const whole = cases.result("chat");
    const text = stringAt(whole, "text") ?? "";
    expect(text.length).toBeGreaterThan(0);
    expect(cases.result("chat_stream")).toEqual({ text, usage: property(whole, "usage") });
  });

  test("gets completions, embeddings and an answer that follows its own class", () => {
    expect(cases.result("completions")).toMatchObject({ object: "text_completion" });
    expect(cases.result("embeddings")).toBeGreaterThan(8);
    expect(cases.result("parsed")).toEqual({ name: expect.any(String), age: expect.any(Number) });
  });

  test("a wish that cannot be granted is a BadRequestError that names it", () => {
    expect(cases.raised("tools_are_refused")).toMatchObject({ class: "BadRequestError", status: 400 });
    expect(property(cases.raised("tools_are_refused").body, "param")).toBe("tools");
  });

  test("the rows have the tokens that it was told", () => {
    const told = property(cases.result("chat"), "usage");
    expect(gateway.rows[0]?.usage?.tokens).toEqual({
      input: Number(property(told, "prompt_tokens")),
      output: Number(property(told, "completion_tokens")),
    });
  });
});
