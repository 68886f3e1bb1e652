import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type OpenAI from "openai";
import { demoModelPath } from "../../support/demo-model.ts";
import { patienceMs, until, WorkerUnderTest } from "./support.ts";

setDefaultTimeout(patienceMs);

/** Slots, queue and cancellation of the worker process, with a real model. */

describe("local model worker", () => {
  let worker: WorkerUnderTest;
  let client: OpenAI;

  beforeAll(async () => {
    worker = new WorkerUnderTest({ contextTokens: 256 });
    client = worker.client();
    await worker.process.preload([demoModelPath()]);
  });
  afterAll(async () => await worker.stop());

  const greedy = { model: "m", temperature: 0, max_tokens: 12 };

  describe("several requests at once", () => {
    test("six on two slots all come back, each with its own answer", async () => {
      const prompts = ["The sky is", "Once upon", "Hello my", "In the year", "Dogs and", "A cup of"];
      const alone: string[] = [];
      for (const prompt of prompts) {
        alone.push(
          (await client.completions.create({ ...greedy, prompt, echo: true })).choices[0]?.text ?? "",
        );
      }
      const together = await Promise.all(
        prompts.map(async (prompt) => {
          const answer = await client.completions.create({ ...greedy, prompt, echo: true });
          return answer.choices[0]?.text ?? "";
        }),
      );
      for (const [index, text] of together.entries()) expect(text).toStartWith(prompts[index] ?? "?");
      // Sums of floats depend on what else is in the batch, so a near tie may fall otherwise; not in most.
      const equal = together.filter((text, index) => text === alone[index]);
      expect(equal.length).toBeGreaterThanOrEqual(4);
      expect(await worker.load()).toEqual({ active: 0, queued: 0 });
    });

    const endless = {
      model: "m",
      temperature: 1,
      max_tokens: 100_000,
      logit_bias: { "100": 100 },
      stream: true as const,
    };

    test("who leaves frees the slot at once, and who waits gets it", async () => {
      const leaving = [new AbortController(), new AbortController()];
      const streams = await Promise.all(
        leaving.map(async ({ signal }) => {
          const response = await worker.request("/v1/completions", { ...endless, prompt: "x" }, { signal });
          return response.body?.getReader();
        }),
      );
      await Promise.all(streams.map((reader) => reader?.read()));
      expect((await worker.load()).active).toBe(2);
      const gone = new AbortController();
      const wait = async (signal: AbortSignal) =>
        await client.completions.create({ ...greedy, prompt: "The sky is" }, { signal });
      const staying = wait(new AbortController().signal);
      const giving = wait(gone.signal).catch((error: unknown) => error);
      await until("two to wait", async () => (await worker.load()).queued === 2 || undefined);
      gone.abort();
      expect(await giving).toBeInstanceOf(Error);
      await until("one to leave the queue", async () => (await worker.load()).queued === 1 || undefined);
      for (const controller of leaving) controller.abort();
      expect((await staying).choices).toHaveLength(1);
      await until("the slots to be free", async () => (await worker.load()).active === 0 || undefined);
    });

    test("a client that does not read keeps no slot", async () => {
      const stalled = await worker.request("/v1/completions", { ...endless, max_tokens: 200, prompt: "x" });
      await until("the slot to be free", async () => (await worker.load()).active === 0 || undefined);
      expect((await stalled.text()).trimEnd()).toEndWith("data: [DONE]");
    });

    test("beyond slots and queue it is 503, with a time to come back", async () => {
      const small = new WorkerUnderTest({ slots: 1, maxQueued: 1 });
      await small.process.preload([demoModelPath()]);
      const controller = new AbortController();
      const { signal } = controller;
      const working = await small.request("/v1/completions", { ...endless, prompt: "x" }, { signal });
      const waiting = small
        .request("/v1/completions", { ...endless, prompt: "x" }, { signal })
        .catch(() => undefined);
      await until("one to wait", async () => (await small.load()).queued === 1 || undefined);
      const refused = await small.request("/v1/completions", { ...greedy, prompt: "x" });
      expect(refused.status).toBe(503);
      expect(refused.headers.get("retry-after")).toBe("1");
      expect(await refused.json()).toMatchObject({ error: { code: "overloaded" } });
      controller.abort();
      await working.body?.cancel().catch(() => undefined);
      await waiting;
      await small.stop();
    });

    test("a worker that is asked to stop finishes what it is saying", async () => {
      const stopping = new WorkerUnderTest({ contextTokens: 256 });
      await stopping.process.preload([demoModelPath()]);
      const response = await stopping.request("/v1/completions", {
        ...endless,
        max_tokens: 100,
        prompt: "x",
      });
      const stopped = stopping.process.stop();
      expect((await response.text()).trimEnd()).toEndWith("data: [DONE]");
      await stopped;
      await stopping.stop();
    });
  });
});
