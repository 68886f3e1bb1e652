import type { Token } from "node-llama-cpp";
import { promptTokensHeader } from "../prompt-tokens-header.ts";
import {
  type AnswerEvent,
  type AnswerShape,
  answerChunks,
  answerHead,
  chatShape,
  completionShape,
  wholeAnswer,
} from "./answer.ts";
import { ApiError } from "./api-error.ts";
import { parseChatRequest } from "./chat-request.ts";
import { parseCompletionRequest } from "./completion-request.ts";
import { eventStream, primed } from "./event-stream.ts";
import type { GenerationRequest, LoadedModel } from "./loaded-model.ts";
import type { ModelStore } from "./model-store.ts";
import type { JsonObject } from "./request-fields.ts";
import { emitWorkerEvent, internalErrorEvent } from "./worker-event.ts";

/** Everything a text route needs besides the body. */
export interface RouteContext {
  readonly store: ModelStore<LoadedModel>;
  readonly modelPath: string;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

/** One choice to be made. */
interface Choice {
  readonly request: GenerationRequest;
  /** Text sent before what the model says. */
  readonly echo: string;
}

/** POST /v1/chat/completions */
export async function chatRoute(body: JsonObject, context: RouteContext): Promise<Response> {
  const request = parseChatRequest(body);
  const prepare = (model: LoadedModel): Choice[] => {
    const stops = [...request.stops, ...model.chatStops];
    return [{ request: { ...request, stops, promptTokens: model.chatPrompt(request.messages) }, echo: "" }];
  };
  return await respond(chatShape, request, context, prepare);
}

/** POST /v1/completions */
export async function completionRoute(body: JsonObject, context: RouteContext): Promise<Response> {
  const request = parseCompletionRequest(body);
  const prepare = (model: LoadedModel): Choice[] =>
    request.prompts.map((prompt, index) => {
      const param = request.prompts.length > 1 ? `prompt[${index}]` : "prompt";
      const promptTokens: readonly Token[] = model.textPrompt(prompt, param);
      const promptText = () => (typeof prompt === "string" ? prompt : model.promptText(promptTokens));
      return {
        request: { ...request, promptTokens, grammar: undefined },
        echo: request.echo ? promptText() : "",
      };
    });
  return await respond(completionShape, request, context, prepare);
}

async function respond(
  shape: AnswerShape,
  request: { readonly model: string; readonly stream: boolean; readonly includeUsage: boolean },
  context: RouteContext,
  prepare: (model: LoadedModel) => Choice[],
): Promise<Response> {
  const readerGone = new AbortController();
  const signal = AbortSignal.any([context.signal, readerGone.signal]);
  let promptTokens = 0;
  const events = answer({ ...context, signal }, (model) => {
    const choices = prepare(model);
    promptTokens = choices.reduce((sum, choice) => sum + choice.request.promptTokens.length, 0);
    return choices;
  });
  const head = answerHead(shape, request.model, Date.now());
  if (!request.stream) return Response.json(await wholeAnswer(shape, head, events));
  const chunks = answerChunks(shape, head, await primed(events), request.includeUsage);
  const onError = (thrown: unknown) => {
    if (!signal.aborted && !(thrown instanceof ApiError)) emitWorkerEvent(internalErrorEvent(thrown));
  };
  const stream = eventStream(chunks, () => readerGone.abort(), onError);
  return new Response(stream, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
      [promptTokensHeader]: String(promptTokens),
    },
  });
}

/** All choices of one request, one after the other in one slot at a time, under one lease of the model. */
async function* answer(
  context: RouteContext,
  prepare: (model: LoadedModel) => Choice[],
): AsyncGenerator<AnswerEvent, void, void> {
  const lease = await context.store.lease(context.modelPath, context.signal);
  try {
    const choices = prepare(lease.model);
    let promptTokens = 0;
    let completionTokens = 0;
    for (const [choice, { request, echo }] of choices.entries()) {
      for await (const event of lease.model.generate(request, context.signal)) {
        switch (event.type) {
          case "start":
            promptTokens += event.promptTokens;
            if (choice === 0) yield { type: "start", fingerprint: lease.model.fingerprint };
            if (echo !== "") yield { type: "text", choice, text: echo };
            break;
          case "text":
            yield { type: "text", choice, text: event.text };
            break;
          case "end":
            completionTokens += event.completionTokens;
            yield { type: "finish", choice, finishReason: event.finishReason };
        }
      }
    }
    yield { type: "end", promptTokens, completionTokens };
  } finally {
    lease.release();
  }
}
