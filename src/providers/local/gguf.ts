import { open } from "node:fs/promises";
import { GgufError, GgufReader } from "./gguf-reader.ts";

/** What a model's file says about itself. */
export interface GgufSummary {
  readonly version: number;
  readonly sizeBytes: number;
  /** Such as "llama" or "gpt2". */
  readonly architecture: string;
  readonly name: string | undefined;
  /** The context length it was trained on, in tokens. */
  readonly contextTokens: number | undefined;
  readonly embeddingLength: number | undefined;
  /** Sum of the sizes of all tensors. */
  readonly parameterCount: number;
  /** Such as "Q4_K_M"; undefined if the file does not say, or says something newer than this list. */
  readonly quantization: string | undefined;
  readonly hasChatTemplate: boolean;
  /** Such as "gpt2" (byte pair encoding) or "llama" (SentencePiece). */
  readonly tokenizer: string | undefined;
}

/** `general.file_type` of the format; the numbers left out are gone from it. */
const fileTypes: Readonly<Record<number, string>> = {
  ...{ 0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K" },
  ...{ 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M" },
  ...{ 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S" },
  ...{ 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M" },
  ...{ 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4" },
};

const mostMetadata = 65_536;
const mostTensors = 1_000_000;
const mostDimensions = 8;
const longestKeyBytes = 65_535;

/**
 * Reads the header of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), versions 2 and 3,
 * little-endian; the weights are not read. Throws `GgufError` for a file that is not one or is damaged,
 * and the file system's error if it cannot be opened.
 */
export async function readGgufSummary(path: string): Promise<GgufSummary> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    return await readSummary(new GgufReader(file, size), size);
  } finally {
    await file.close();
  }
}

async function readSummary(reader: GgufReader, sizeBytes: number): Promise<GgufSummary> {
  if (sizeBytes < 24 || (await reader.text(4)) !== "GGUF") throw new GgufError("it does not begin with GGUF");
  const version = await reader.uint32();
  if (version === 0x02000000 || version === 0x03000000)
    throw new GgufError("big-endian files are not supported");
  if (version !== 2 && version !== 3) throw new GgufError(`version ${version} is not supported`);
  const tensorCount = bounded("number of tensors", await reader.uint64(), mostTensors);
  const metadataCount = bounded("number of metadata entries", await reader.uint64(), mostMetadata);
  const metadata = await readMetadata(reader, metadataCount);
  const architecture = metadata.get("general.architecture");
  if (typeof architecture !== "string") throw new GgufError("general.architecture is missing");
  const tensors = await readTensors(reader, tensorCount);
  const alignment = metadata.get("general.alignment") ?? 32;
  checkDataPresent(
    sizeBytes,
    reader.position,
    tensors.lastOffset,
    typeof alignment === "number" ? alignment : 32,
  );
  const fileType = metadata.get("general.file_type");
  const template = metadata.get("tokenizer.chat_template");
  return {
    version,
    sizeBytes,
    architecture,
    name: text(metadata.get("general.name")),
    contextTokens: count(metadata.get(`${architecture}.context_length`)),
    embeddingLength: count(metadata.get(`${architecture}.embedding_length`)),
    parameterCount: tensors.parameterCount,
    quantization: typeof fileType === "number" ? fileTypes[fileType] : undefined,
    hasChatTemplate: typeof template === "string" && template.trim() !== "",
    tokenizer: text(metadata.get("tokenizer.ggml.model")),
  };
}

async function readMetadata(reader: GgufReader, entryCount: number): Promise<Map<string, unknown>> {
  const metadata = new Map<string, unknown>();
  for (let index = 0; index < entryCount; index++) {
    const key = await reader.text(bounded("length of a key", await reader.uint64(), longestKeyBytes));
    if (key === "") throw new GgufError("a metadata key is empty");
    if (metadata.has(key)) throw new GgufError("a metadata key occurs twice");
    metadata.set(key, await reader.value(await reader.uint32()));
  }
  return metadata;
}

async function readTensors(
  reader: GgufReader,
  tensorCount: number,
): Promise<{ parameterCount: number; lastOffset: number }> {
  let parameterCount = 0;
  let lastOffset = 0;
  for (let index = 0; index < tensorCount; index++) {
    await reader.skip(bounded("length of a tensor name", await reader.uint64(), longestKeyBytes));
    const dimensions = bounded("number of dimensions", await reader.uint32(), mostDimensions);
    let size = 1;
    for (let dimension = 0; dimension < dimensions; dimension++) size *= await reader.uint64();
    await reader.uint32();
    lastOffset = Math.max(lastOffset, await reader.uint64());
    parameterCount += size;
  }
  if (!Number.isSafeInteger(parameterCount)) throw new GgufError("its tensors are impossibly large");
  return { parameterCount, lastOffset };
}

/** The weights begin at the next multiple of the alignment; the last tensor at least begins inside the file. */
function checkDataPresent(
  sizeBytes: number,
  headerBytes: number,
  lastOffset: number,
  alignment: number,
): void {
  const dataStart = Math.ceil(headerBytes / alignment) * alignment;
  if (dataStart + lastOffset > sizeBytes) throw new GgufError("it is cut off: weights are missing");
}

function bounded(what: string, value: number, most: number): number {
  if (value > most) throw new GgufError(`the ${what} is impossible: ${value}`);
  return value;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
