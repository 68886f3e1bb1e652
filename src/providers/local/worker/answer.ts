import type { FinishReason } from "./generate.ts";

/** One step of an answer; `choice` counts from 0. The last one is `end`, with the counts of all choices. */
export type AnswerEvent =
  | { readonly type: "start"; readonly fingerprint: string }
  | { readonly type: "text"; readonly choice: number; readonly text: string }
  | { readonly type: "finish"; readonly choice: number; readonly finishReason: FinishReason }
  | { readonly type: "end"; readonly promptTokens: number; readonly completionTokens: number };

/** How one of OpenAI's two text routes writes its objects. */
export interface AnswerShape {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** The choice of a whole answer. */
  choice(index: number, text: string, finishReason: FinishReason): object;
  /** The choice of the first chunk; undefined: there is no chunk before the text. */
  opening: object | undefined;
  piece(index: number, text: string): object;
  closing(index: number, finishReason: FinishReason): object;
}

/** POST /v1/chat/completions */
export const chatShape: AnswerShape = {
  idPrefix: "chatcmpl-",
  object: "chat.completion",
  chunkObject: "chat.completion.chunk",
  choice: (index, content, finish_reason) => ({
    index,
    message: { role: "assistant", content, refusal: null },
    logprobs: null,
    finish_reason,
  }),
  opening: {
    index: 0,
    delta: { role: "assistant", content: "", refusal: null },
    logprobs: null,
    finish_reason: null,
  },
  piece: (index, content) => ({ index, delta: { content }, logprobs: null, finish_reason: null }),
  closing: (index, finish_reason) => ({ index, delta: {}, logprobs: null, finish_reason }),
};

/** POST /v1/completions */
export const completionShape: AnswerShape = {
  idPrefix: "cmpl-",
  object: "text_completion",
  chunkObject: "text_completion",
  choice: (index, text, finish_reason) => ({ text, index, logprobs: null, finish_reason }),
  opening: undefined,
  piece: (index, text) => ({ text, index, logprobs: null, finish_reason: null }),
  closing: (index, finish_reason) => ({ text: "", index, logprobs: null, finish_reason }),
};

/** What every object of one answer carries. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly model: string;
}

export function answerHead(shape: AnswerShape, model: string, nowMs: number): AnswerHead {
  const id = `${shape.idPrefix}${crypto.randomUUID().replaceAll("-", "")}`;
  return { id, created: Math.floor(nowMs / 1000), model };
}

/** OpenAI's usage object. */
function usage(promptTokens: number, completionTokens: number): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** The whole answer as one object. Throws what the events throw. */
export async function wholeAnswer(
  shape: AnswerShape,
  head: AnswerHead,
  events: AsyncIterable<AnswerEvent>,
): Promise<object> {
  const texts = new Map<number, string>();
  const choices: object[] = [];
  let fingerprint = "";
  let counts: object = {};
  for await (const event of events) {
    switch (event.type) {
      case "start":
        fingerprint = event.fingerprint;
        break;
      case "text":
        texts.set(event.choice, (texts.get(event.choice) ?? "") + event.text);
        break;
      case "finish":
        choices.push(shape.choice(event.choice, texts.get(event.choice) ?? "", event.finishReason));
        break;
      case "end":
        counts = usage(event.promptTokens, event.completionTokens);
    }
  }
  const { id, created, model } = head;
  return {
    id,
    object: shape.object,
    created,
    model,
    choices,
    usage: counts,
    system_fingerprint: fingerprint,
  };
}

/**
 * The chunks of a streamed answer. With `includeUsage` a last one carries the counts and no choice,
 * and the others say `usage: null`, as OpenAI's do.
 */
export async function* answerChunks(
  shape: AnswerShape,
  head: AnswerHead,
  events: AsyncIterable<AnswerEvent>,
  includeUsage: boolean,
): AsyncGenerator<object, void, void> {
  const { id, created, model } = head;
  let fingerprint = "";
  const chunk = (choices: readonly object[], counts: object | null) => ({
    id,
    object: shape.chunkObject,
    created,
    model,
    system_fingerprint: fingerprint,
    choices,
    ...(includeUsage ? { usage: counts } : {}),
  });
  for await (const event of events) {
    switch (event.type) {
      case "start":
        fingerprint = event.fingerprint;
        if (shape.opening !== undefined) yield chunk([shape.opening], null);
        break;
      case "text":
        yield chunk([shape.piece(event.choice, event.text)], null);
        break;
      case "finish":
        yield chunk([shape.closing(event.choice, event.finishReason)], null);
        break;
      case "end":
        if (includeUsage) yield chunk([], usage(event.promptTokens, event.completionTokens));
    }
  }
}
