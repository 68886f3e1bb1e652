import { badRequest } from "./api-error.ts";
import { parseInputs } from "./completion-request.ts";
import { type JsonObject, modelName, optionalNumber, optionalString, unsupported } from "./request-fields.ts";

/** An embeddings request, checked. Each input is text or a list of token ids. */
export interface EmbeddingsRequest {
  readonly model: string;
  readonly inputs: readonly (string | readonly number[])[];
  readonly encoding: "float" | "base64";
}

const mostInputs = 2048;

/** Reads the body of POST /v1/embeddings. Throws 400 naming what is wrong or cannot be done. */
export function parseEmbeddingsRequest(body: JsonObject): EmbeddingsRequest {
  const model = modelName(body);
  if (optionalNumber(body, "dimensions", { min: 1, max: 1_000_000, integer: true }) !== undefined) {
    throw unsupported("dimensions", "a model's vectors have one length");
  }
  const encoding = optionalString(body, "encoding_format") ?? "float";
  if (encoding !== "float" && encoding !== "base64") {
    throw badRequest(
      "Invalid value for 'encoding_format': expected 'float' or 'base64'.",
      "encoding_format",
      "invalid_value",
    );
  }
  return { model, inputs: parseInputs(body, "input", mostInputs), encoding };
}

/** The object that /v1/embeddings answers; base64 is of little-endian 32-bit floats. */
export function embeddingsAnswer(
  request: EmbeddingsRequest,
  vectors: readonly Float32Array[],
  promptTokens: number,
): object {
  const encode = (vector: Float32Array) => (request.encoding === "base64" ? toBase64(vector) : [...vector]);
  return {
    object: "list",
    data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: encode(vector) })),
    model: request.model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}

function toBase64(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => {
    bytes.writeFloatLE(value, index * 4);
  });
  return bytes.toString("base64");
}
