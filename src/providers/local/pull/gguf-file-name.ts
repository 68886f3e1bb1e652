/** What a GGUF file's name says: the model, its quantisation, and its place in a set of parts. */
export type GgufFileName = {
  /** The name without quantisation, part number and extension, as spelt. May be empty (`Q4_0.gguf`). */
  readonly base: string;
  /** As spelt, for example `Q4_K_M` or `UD-Q4_K_XL`. */
  readonly quant: string | undefined;
  /** One-based, from the `-00001-of-00003` convention of llama.cpp's `gguf-split`. */
  readonly part: { readonly number: number; readonly count: number } | undefined;
};

// llama.cpp's file types (`llama_ftype` names), with the "dynamic" prefix that some publishers add.
const quantPattern = "(?:UD-)?(?:I?Q[1-8](?:_[A-Za-z0-9]+)*|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|FP?16|FP?32)";
const quantAtEnd = new RegExp(`(?:^|[-._])(${quantPattern})$`, "i");

/** Reads a file name (not a path). The `.gguf` extension is optional. */
export function parseGgufFileName(fileName: string): GgufFileName {
  let stem = fileName.replace(/\.gguf$/i, "");
  const split = /-(\d{5})-of-(\d{5})$/.exec(stem);
  if (split) stem = stem.slice(0, split.index);
  const quant = quantAtEnd.exec(stem);
  return {
    base: quant ? stem.slice(0, quant.index) : stem,
    quant: quant?.[1],
    part: split ? { number: Number(split[1]), count: Number(split[2]) } : undefined,
  };
}

/** The names of all parts of the set that `path` (a name, path or URL path) belongs to, in order. */
export function ggufPartPaths(path: string): string[] {
  const split = /-(\d{5})-of-(\d{5})(\.gguf)?$/i.exec(path);
  if (!split) return [path];
  const count = Number(split[2]);
  const prefix = path.slice(0, split.index);
  return Array.from({ length: count }, (_, index) => {
    return `${prefix}-${String(index + 1).padStart(5, "0")}-of-${split[2]}${split[3] ?? ""}`;
  });
}

/** The most parts that one model may have; the naming convention could ask for 99,999 downloads. */
export const maxGgufParts = 256;
