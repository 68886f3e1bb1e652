import {
  type LlamaContextSequence,
  type LlamaGrammarEvaluationState,
  type LlamaModel,
  type SequenceEvaluateOptions,
  type Token,
  TokenBias,
} from "node-llama-cpp";
import type { Sampling } from "./sampling.ts";
import { StopFilter } from "./stop-filter.ts";
import { TokenText } from "./token-text.ts";

/** One answer to produce. */
export interface GenerationInput {
  readonly model: LlamaModel;
  /** Held by the caller alone for the whole generation. */
  readonly sequence: LlamaContextSequence;
  /** At least one token, fewer than `contextTokens`. */
  readonly promptTokens: readonly Token[];
  /** Upper bound of prompt and answer together. */
  readonly contextTokens: number;
  readonly maxTokens: number | undefined;
  readonly stops: readonly string[];
  readonly sampling: Sampling;
  readonly grammar: LlamaGrammarEvaluationState | undefined;
}

export type FinishReason = "stop" | "length";

/** First `start`, when the prompt is evaluated; then pieces of text; at last `end`. */
export type GenerationEvent =
  | { readonly type: "start"; readonly promptTokens: number }
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "end";
      readonly finishReason: FinishReason;
      /** Tokens the model chose, withheld stop strings included, the end-of-turn token not. */
      readonly completionTokens: number;
    };

/** A long prompt is evaluated in such steps, so that a request can be given up between them. */
const promptStepTokens = 256;

/**
 * Evaluates the prompt and generates. Throws the signal's reason at the next token after it aborts.
 * The sequence keeps nothing of earlier requests: another caller's prompt must not show, not even as speed.
 */
export async function* generate(
  input: GenerationInput,
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void, void> {
  const { model, sequence, promptTokens } = input;
  await sequence.clearHistory();
  await evaluateAllButLast(sequence, promptTokens, signal);
  yield { type: "start", promptTokens: promptTokens.length };

  const room = input.contextTokens - promptTokens.length;
  const mostTokens = Math.min(input.maxTokens ?? room, room);
  const text = new TokenText((tokens, previous) =>
    model.detokenize(tokens as readonly Token[], false, previous as readonly Token[]),
  );
  const stops = new StopFilter(input.stops);
  const generated: Token[] = [];
  let finishReason: FinishReason = mostTokens > 0 ? "stop" : "length";

  if (mostTokens > 0) {
    const options = evaluateOptions(input, generated);
    for await (const token of sequence.evaluate(promptTokens.slice(-1), options)) {
      signal.throwIfAborted();
      generated.push(token);
      const piece = stops.push(text.push(token));
      if (piece !== "") yield { type: "text", text: piece };
      if (stops.stopped) break;
      if (generated.length >= mostTokens) {
        finishReason = "length";
        break;
      }
    }
  }
  signal.throwIfAborted();
  const rest = stops.flush();
  if (rest !== "") yield { type: "text", text: rest };
  yield { type: "end", finishReason, completionTokens: generated.length };
}

/** The last token stays for the generating call, which needs something to evaluate. */
async function evaluateAllButLast(
  sequence: LlamaContextSequence,
  tokens: readonly Token[],
  signal: AbortSignal,
): Promise<void> {
  for (let from = 0; from < tokens.length - 1; from += promptStepTokens) {
    signal.throwIfAborted();
    const to = Math.min(from + promptStepTokens, tokens.length - 1);
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(from, to));
  }
  signal.throwIfAborted();
}

function evaluateOptions(input: GenerationInput, generated: Token[]): SequenceEvaluateOptions {
  const { sampling, grammar, model } = input;
  const punishes =
    sampling.frequencyPenalty !== 0 || sampling.presencePenalty !== 0 || sampling.repeatPenalty !== 1;
  return {
    temperature: sampling.temperature,
    topP: sampling.topP,
    topK: sampling.topK,
    minP: sampling.minP,
    seed: sampling.seed,
    ...(grammar === undefined ? {} : { grammarEvaluationState: grammar }),
    ...(sampling.logitBias.size === 0 ? {} : { tokenBias: tokenBias(model, sampling.logitBias) }),
    ...(punishes
      ? {
          repeatPenalty: {
            punishTokens: () => generated,
            maxPunishTokens: input.contextTokens,
            penalty: sampling.repeatPenalty,
            frequencyPenalty: sampling.frequencyPenalty,
            presencePenalty: sampling.presencePenalty,
          },
        }
      : {}),
  };
}

function tokenBias(model: LlamaModel, biases: Sampling["logitBias"]): TokenBias {
  const result = TokenBias.for(model);
  for (const [token, bias] of biases) {
    result.set(token as Token, bias === "never" ? "never" : { logit: bias });
  }
  return result;
}
