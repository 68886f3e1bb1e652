// The fixed requests and answers that everything in bench/ agrees on. Sizes are those of a real provider:
// about 600 bytes for a short completion with its usage, about 230 for one streamed delta.

export const MODEL = "bench-model";
/** What the provider behind the gateway is given as its own key; the upstream does not look at it. */
export const PROVIDER_KEY = "sk-upstream-0123456789abcdef";

const ID = "chatcmpl-BqXk3vN0a7Wm2Zt9LrY5uHd8EoPc1";
const CREATED = 1760000000;

export const COMPLETION = JSON.stringify({
  id: ID,
  object: "chat.completion",
  created: CREATED,
  model: MODEL,
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content:
          "The gateway sits between your applications and the models: it checks the key and writes down what it cost.",
        refusal: null,
        annotations: [],
      },
      logprobs: null,
      finish_reason: "stop",
    },
  ],
  usage: {
    prompt_tokens: 42,
    completion_tokens: 23,
    total_tokens: 65,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  },
  service_tier: "default",
  system_fingerprint: "fp_8802369eaa",
});

const chunkHead = {
  id: ID,
  object: "chat.completion.chunk",
  created: CREATED,
  model: MODEL,
  service_tier: "default",
  system_fingerprint: "fp_8802369eaa",
};
const event = (data: string): string => `data: ${data}\n\n`;

export const DELTA_EVENT = event(
  JSON.stringify({
    ...chunkHead,
    choices: [{ index: 0, delta: { content: " token" }, logprobs: null, finish_reason: null }],
  }),
);
export const USAGE_EVENT = event(
  JSON.stringify({
    ...chunkHead,
    choices: [],
    usage: { prompt_tokens: 42, completion_tokens: 23, total_tokens: 65 },
  }),
);
export const DONE_EVENT = event("[DONE]");

/** How many events a whole stream of `deltas` tokens has: the deltas, the usage chunk and [DONE]. */
export const eventsOf = (deltas: number): number => deltas + 2;

/** The text a stream of `deltas` tokens must arrive as, byte for byte. */
export const streamText = (deltas: number): string => DELTA_EVENT.repeat(deltas) + USAGE_EVENT + DONE_EVENT;

const WORDS = "Explain in plain words how a gateway shares one model between many teams, and what it costs. ";

/** A non-streaming request whose prompt has about `promptBytes` bytes. */
export function plainBody(promptBytes: number): string {
  const prompt = WORDS.repeat(Math.ceil(promptBytes / WORDS.length)).slice(0, promptBytes);
  return JSON.stringify({ model: MODEL, messages: [{ role: "user", content: prompt }], max_tokens: 64 });
}

/** A non-streaming request that the upstream answers only after a while. */
export function slowBody(promptBytes: number, afterMs: number): string {
  return JSON.stringify({ ...(JSON.parse(plainBody(promptBytes)) as object), stream: false, seed: afterMs });
}

/** A streaming request: `max_tokens` and `seed` tell the upstream how many events, and how many ms apart. */
export function streamBody(deltas: number, everyMs: number): string {
  return JSON.stringify({
    model: MODEL,
    messages: [{ role: "user", content: WORDS.repeat(2) }],
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: deltas,
    seed: everyMs,
  });
}
