import { badRequest } from "./api-error.ts";
import { type JsonObject, optionalNumber, optionalObject } from "./request-fields.ts";

/** How the next token is chosen. Every field is as in llama.cpp; 0 turns `topK` and `minP` off. */
export interface Sampling {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
  /** 1 is off. */
  readonly repeatPenalty: number;
  /** Same seed and same request give the same answer. From 0 to 2^32 - 2. */
  readonly seed: number;
  /** Token id to what is added to its logit; "never" excludes the token. */
  readonly logitBias: ReadonlyMap<number, number | "never">;
}

/** What a request asked for; the rest comes from the model or from `openAiLikeSampling`. */
export type RequestedSampling = Partial<Sampling>;

/**
 * Used where neither the request nor the model's file says otherwise. Temperature and top-p are OpenAI's.
 * `topK` and `minP` cut only the far tail, as llama.cpp's own server does: small quantised models
 * put enough weight there to derail an answer at temperature 1.
 */
const openAiLikeSampling = {
  temperature: 1,
  topP: 1,
  topK: 40,
  minP: 0.05,
  frequencyPenalty: 0,
  presencePenalty: 0,
  repeatPenalty: 1,
} as const;

/** llama.cpp reads 2^32 - 1 as "choose a random seed", so seeds are folded below it. */
const seedModulus = 2 ** 32 - 1;

/** The sampling fields of a chat or completion body. Throws 400 naming the field at fault. */
export function parseSampling(body: JsonObject): RequestedSampling {
  const seed = optionalNumber(body, "seed", {
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    integer: true,
  });
  return withoutUndefined({
    temperature: optionalNumber(body, "temperature", { min: 0, max: 2 }),
    topP: optionalNumber(body, "top_p", { min: 0, max: 1 }),
    topK: optionalNumber(body, "top_k", { min: 0, max: 1_000_000, integer: true }),
    minP: optionalNumber(body, "min_p", { min: 0, max: 1 }),
    frequencyPenalty: optionalNumber(body, "frequency_penalty", { min: -2, max: 2 }),
    presencePenalty: optionalNumber(body, "presence_penalty", { min: -2, max: 2 }),
    repeatPenalty: optionalNumber(body, "repeat_penalty", { min: 0.01, max: 10 }),
    seed: seed === undefined ? undefined : ((seed % seedModulus) + seedModulus) % seedModulus,
    logitBias: parseLogitBias(body),
  });
}

/** The sampling to use: the request first, then the model's own advice, then the defaults. */
export function resolveSampling(requested: RequestedSampling, modelAdvice: RequestedSampling): Sampling {
  const seed = Math.floor(Math.random() * seedModulus);
  return { ...openAiLikeSampling, seed, logitBias: new Map(), ...modelAdvice, ...requested };
}

/**
 * What a GGUF file recommends under `general.sampling.*`, as far as it is usable.
 * `metadata` is the file's metadata as nested objects.
 */
export function samplingAdvice(metadata: unknown): RequestedSampling {
  const sampling = nested(nested(metadata, "general"), "sampling");
  return withoutUndefined({
    temperature: numberWithin(nested(sampling, "temp"), 0, 2),
    topP: numberWithin(nested(sampling, "top_p"), 0, 1),
    topK: numberWithin(nested(sampling, "top_k"), 0, 1_000_000),
    minP: numberWithin(nested(sampling, "min_p"), 0, 1),
    repeatPenalty: numberWithin(nested(sampling, "penalty_repeat"), 0.01, 10),
  });
}

function parseLogitBias(body: JsonObject): ReadonlyMap<number, number | "never"> | undefined {
  const bias = optionalObject(body, "logit_bias");
  if (bias === undefined) return undefined;
  const entries = Object.entries(bias);
  if (entries.length > 1024) throw badRequest("Invalid 'logit_bias': at most 1024 tokens.", "logit_bias");
  const result = new Map<number, number | "never">();
  for (const [key, value] of entries) {
    const token = Number(key);
    if (!/^\d{1,9}$/.test(key) || typeof value !== "number" || value < -100 || value > 100) {
      throw badRequest(
        "Invalid 'logit_bias': expected token ids with numbers from -100 to 100.",
        "logit_bias",
      );
    }
    result.set(token, value === -100 ? "never" : value);
  }
  return result;
}

function nested(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}

function numberWithin(value: unknown, min: number, max: number): number | undefined {
  return typeof value === "number" && value >= min && value <= max ? value : undefined;
}

function withoutUndefined(fields: { [K in keyof Sampling]?: Sampling[K] | undefined }): RequestedSampling {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as RequestedSampling;
}
