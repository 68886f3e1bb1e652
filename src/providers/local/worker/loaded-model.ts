import { basename } from "node:path";
import {
  type Llama,
  type LlamaContext,
  type LlamaContextSequence,
  type LlamaEmbeddingContext,
  LlamaGrammarEvaluationState,
  type LlamaModel,
  type Token,
} from "node-llama-cpp";
import { ApiError, badRequest } from "./api-error.ts";
import { type ChatMessage, ChatTemplate } from "./chat-template.ts";
import { type GenerationEvent, generate } from "./generate.ts";
import { type RequestedSampling, resolveSampling, samplingAdvice } from "./sampling.ts";
import { type Slot, SlotPool } from "./slot-pool.ts";
import { emitWorkerEvent } from "./worker-event.ts";
import type { WorkerSettings } from "./worker-settings.ts";

const defaultContextTokens = 4096;
/** Token type "control" in GGUF's `tokenizer.ggml.token_type`. */
const controlTokenType = 3;

/** What to generate, with the prompt as tokens. */
export interface GenerationRequest {
  readonly promptTokens: readonly Token[];
  readonly maxTokens: number | undefined;
  readonly stops: readonly string[];
  readonly sampling: RequestedSampling;
  /** GBNF; undefined: any text. */
  readonly grammar: string | undefined;
}

/** How busy a model is. */
export interface ModelStatus {
  readonly path: string;
  readonly contextTokens: number;
  readonly slots: number;
  readonly activeSlots: number;
  readonly queued: number;
}

interface Vocabulary {
  readonly tokenCount: number;
  readonly longestTokenBytes: number;
  readonly controlTexts: readonly string[];
}

/** A model in memory, with its slots. Contexts for text and for embeddings are created on first use. */
export class LoadedModel {
  readonly path: string;
  readonly contextTokens: number;
  /** Changes when the file, the library or the context size does. */
  readonly fingerprint: string;
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #settings: WorkerSettings;
  readonly #template: ChatTemplate;
  readonly #vocabulary: Vocabulary;
  #textSlots: Promise<SlotPool<LlamaContextSequence>> | undefined;
  #embeddingSlots: Promise<SlotPool<LlamaEmbeddingContext>> | undefined;
  #activePools: SlotPool<unknown>[] = [];

  private constructor(
    llama: Llama,
    model: LlamaModel,
    path: string,
    version: string,
    settings: WorkerSettings,
  ) {
    this.path = path;
    this.#llama = llama;
    this.#model = model;
    this.#settings = settings;
    // Beyond what it was trained on, a model has no positions, and llama.cpp aborts for some.
    this.contextTokens = Math.min(settings.contextTokens ?? defaultContextTokens, model.trainContextSize);
    const identity = [basename(path), version, llama.llamaCppRelease.release, this.contextTokens].join("\0");
    this.fingerprint = `fp_${new Bun.CryptoHasher("sha256").update(identity).digest("hex").slice(0, 10)}`;
    this.#vocabulary = readVocabulary(model.fileInfo.metadata);
    this.#template = new ChatTemplate({
      source: templateSource(model.fileInfo.metadata),
      bosText: model.tokens.bosString ?? "",
      eosText: model.tokens.eosString ?? "",
      controlTexts: this.#vocabulary.controlTexts,
    });
  }

  /**
   * Reads the file into memory. `version` identifies its content (size and time).
   * Throws what llama.cpp throws for a file it cannot use.
   */
  static async load(
    llama: Llama,
    path: string,
    version: string,
    settings: WorkerSettings,
  ): Promise<LoadedModel> {
    const model = await llama.loadModel({ modelPath: path });
    try {
      return new LoadedModel(llama, model, path, version, settings);
    } catch (cause) {
      await model.dispose();
      throw cause;
    }
  }

  status(): ModelStatus {
    return {
      path: this.path,
      contextTokens: this.contextTokens,
      slots: this.#settings.slots,
      activeSlots: this.#activePools.reduce((sum, pool) => sum + pool.active, 0),
      queued: this.#activePools.reduce((sum, pool) => sum + pool.queued, 0),
    };
  }

  /** Creates the context that text generation needs, so that the first request does not wait for it. */
  async warmUp(): Promise<void> {
    await this.#textPool();
  }

  /** The prompt of a conversation. Throws 400 if it is refused by the template or too long. */
  chatPrompt(messages: readonly ChatMessage[]): readonly Token[] {
    const lengthBytes = messages.reduce((sum, message) => sum + message.content.length, 0);
    this.#refuseTooLong(lengthBytes, "messages");
    const parts = this.#template.render(messages);
    const tokens = parts.flatMap((part) => this.#model.tokenize(part.text, part.isTemplate));
    return this.#checkedPrompt(this.#withBos(tokens), "messages");
  }

  get chatStops(): readonly string[] {
    return this.#template.extraStops;
  }

  /** The prompt of a legacy completion: text with special tokens, or token ids. Throws 400 as `chatPrompt`. */
  textPrompt(prompt: string | readonly number[], param: string): readonly Token[] {
    if (typeof prompt !== "string") return this.#checkedPrompt(this.#knownTokens(prompt, param), param);
    this.#refuseTooLong(prompt.length, param);
    return this.#checkedPrompt(this.#withBos(this.#model.tokenize(prompt, true)), param);
  }

  /** Text of a prompt, as `echo` shows it. */
  promptText(tokens: readonly Token[]): string {
    return this.#model.detokenize(tokens, false);
  }

  /** Waits for a slot, generates, and gives the slot back however it ends. */
  async *generate(
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerationEvent, void, void> {
    const grammar = request.grammar === undefined ? undefined : await this.#grammarState(request.grammar);
    const pool = await this.#textPool();
    const slot: Slot<LlamaContextSequence> = await pool.acquire(signal);
    try {
      yield* generate(
        {
          model: this.#model,
          sequence: slot.value,
          promptTokens: request.promptTokens,
          contextTokens: this.contextTokens,
          maxTokens: request.maxTokens,
          stops: request.stops,
          sampling: resolveSampling(request.sampling, samplingAdvice(this.#model.fileInfo.metadata)),
          grammar,
        },
        signal,
      );
    } finally {
      slot.release();
    }
  }

  /** The tokens to embed. Throws 400 if too long or not of this vocabulary. */
  embeddingInput(input: string | readonly number[], param: string): readonly Token[] {
    if (typeof input !== "string") return this.#checkedPrompt(this.#knownTokens(input, param), param, 2);
    this.#refuseTooLong(input.length, param);
    // Two more for the tokens that some models want around each input.
    return this.#checkedPrompt(this.#model.tokenize(input), param, 2);
  }

  /** The embedding of each input, of length 1, and the number of tokens in all. */
  async embed(
    inputs: readonly (readonly Token[])[],
    signal: AbortSignal,
  ): Promise<{ vectors: Float32Array[]; promptTokens: number }> {
    const pool = await this.#embeddingPool();
    const slot = await pool.acquire(signal);
    try {
      const vectors: Float32Array[] = [];
      let promptTokens = 0;
      for (const input of inputs) {
        signal.throwIfAborted();
        promptTokens += slot.value.calculateInputLength([...input]);
        const { vector } = await slot.value.getEmbeddingFor([...input]);
        vectors.push(normalised(vector));
      }
      return { vectors, promptTokens };
    } finally {
      slot.release();
    }
  }

  /** Frees the memory. Nobody may be using the model any more. */
  async dispose(): Promise<void> {
    await this.#model.dispose();
  }

  #textPool(): Promise<SlotPool<LlamaContextSequence>> {
    if (this.#textSlots === undefined) {
      const { hasEncoder, hasDecoder } = this.#model.fileInsights;
      if (hasEncoder && !hasDecoder) throw badRequest("This model makes embeddings only.", "model");
      this.#textSlots = this.#createTextPool();
      // A failed creation is tried again by the next request.
      this.#textSlots.catch(() => {
        this.#textSlots = undefined;
      });
    }
    return this.#textSlots;
  }

  async #createTextPool(): Promise<SlotPool<LlamaContextSequence>> {
    const { slots, threads } = this.#settings;
    const options = { sequences: slots, contextSize: this.contextTokens, threads };
    const context: LlamaContext = await this.#model.createContext(options).catch(this.#noContext);
    const pool = new SlotPool(Array.from({ length: slots }, () => context.getSequence()));
    this.#activePools.push(pool);
    return pool;
  }

  #embeddingPool(): Promise<SlotPool<LlamaEmbeddingContext>> {
    if (this.#embeddingSlots === undefined) {
      this.#embeddingSlots = this.#createEmbeddingPool();
      this.#embeddingSlots.catch(() => {
        this.#embeddingSlots = undefined;
      });
    }
    return this.#embeddingSlots;
  }

  async #createEmbeddingPool(): Promise<SlotPool<LlamaEmbeddingContext>> {
    const { contextTokens } = this;
    // An embedding is read after one batch, so the whole input has to fit into it.
    const options = { contextSize: contextTokens, batchSize: contextTokens, threads: this.#settings.threads };
    const context = await this.#model.createEmbeddingContext(options).catch(this.#noContext);
    const pool = new SlotPool([context]);
    this.#activePools.push(pool);
    return pool;
  }

  readonly #noContext = (cause: unknown): never => {
    const reason = cause instanceof Error ? cause.message.slice(0, 500) : String(cause);
    emitWorkerEvent({ event: "model-failed", path: this.path, reason });
    const size = `${this.#settings.slots} slots of ${this.contextTokens} tokens`;
    throw new ApiError(`There is too little memory for this model's context (${size}).`, {
      status: 503,
      type: "server_error",
      code: "context_creation_failed",
      retryAfterSeconds: 30,
    });
  };

  async #grammarState(grammar: string): Promise<LlamaGrammarEvaluationState> {
    try {
      const compiled = await this.#llama.createGrammar({ grammar });
      return new LlamaGrammarEvaluationState({ model: this.#model, grammar: compiled });
    } catch {
      throw badRequest(
        "The JSON schema cannot be turned into a grammar.",
        "response_format",
        "unsupported_schema",
      );
    }
  }

  #withBos(tokens: readonly Token[]): readonly Token[] {
    const { bos, shouldPrependBosToken } = this.#model.tokens;
    return bos !== null && shouldPrependBosToken && tokens[0] !== bos ? [bos, ...tokens] : tokens;
  }

  #knownTokens(ids: readonly number[], param: string): readonly Token[] {
    const unknown = ids.find((id) => id >= this.#vocabulary.tokenCount);
    if (unknown !== undefined) {
      throw badRequest(`Invalid '${param}': ${unknown} is not a token of this model.`, param);
    }
    return ids as readonly Token[];
  }

  /** Spares the tokenizer, which works on the only thread, a text that cannot fit whatever its tokens are. */
  #refuseTooLong(lengthChars: number, param: string): void {
    const atLeastTokens = Math.ceil(lengthChars / this.#vocabulary.longestTokenBytes);
    if (atLeastTokens >= this.contextTokens) throw this.#tooLong(`at least ${atLeastTokens}`, param);
  }

  #checkedPrompt(tokens: readonly Token[], param: string, extraTokens = 0): readonly Token[] {
    if (tokens.length === 0) throw badRequest(`Invalid '${param}': it contains no tokens.`, param);
    if (tokens.length + extraTokens >= this.contextTokens) throw this.#tooLong(String(tokens.length), param);
    return tokens;
  }

  #tooLong(tokens: string, param: string): ApiError {
    return badRequest(
      `This model's maximum context length is ${this.contextTokens} tokens, prompt and answer together. ` +
        `However, your prompt resulted in ${tokens} tokens. Please reduce its length.`,
      param,
      "context_length_exceeded",
    );
  }
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

function templateSource(metadata: unknown): string | undefined {
  const source = field(field(metadata, "tokenizer"), "chat_template");
  return typeof source === "string" && source.trim() !== "" ? source : undefined;
}

function readVocabulary(metadata: unknown): Vocabulary {
  const ggml = field(field(metadata, "tokenizer"), "ggml");
  const tokens = field(ggml, "tokens");
  const types = field(ggml, "token_type");
  const texts: readonly unknown[] = Array.isArray(tokens) ? tokens : [];
  const kinds: readonly unknown[] = Array.isArray(types) ? types : [];
  let longestTokenBytes = 1;
  const controlTexts: string[] = [];
  texts.forEach((text, id) => {
    if (typeof text !== "string") return;
    // SentencePiece spells one space as a character of three bytes; bytes bound characters from above.
    longestTokenBytes = Math.max(longestTokenBytes, Buffer.byteLength(text));
    if (kinds[id] === controlTokenType) controlTexts.push(text);
  });
  return { tokenCount: texts.length, longestTokenBytes, controlTexts };
}

function normalised(vector: readonly number[]): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return Float32Array.from(vector, (value) => (length > 0 ? value / length : 0));
}
