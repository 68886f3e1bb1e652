import { parseGgufFileName } from "./gguf-file-name.ts";

// Names that say nothing about the model; the repository's name is used in their place.
const genericBases = new Set([
  "",
  "model",
  "ggml-model",
  "gguf",
  "ggml",
  "weights",
  "unsloth",
  "consolidated",
]);
const maxNameLength = 100;

/**
 * The name under which a pulled model is served, and of its file (`<name>.gguf`).
 *
 * 1. The file's name without `.gguf` and part number, split into base and quantisation.
 * 2. A base that says nothing (`model`, `ggml-model`, none) is replaced by the repository's name without a
 *    trailing `-GGUF`.
 * 3. Lower case; every run of other characters than `a-z 0-9 . _ -` becomes one `-`.
 * 4. The quantisation, if the file's name has one, follows after a `-`: two quantisations of one model can
 *    live side by side. `SmolLM2-135M-Instruct.Q4_K_M.gguf` is `smollm2-135m-instruct-q4_k_m`.
 */
export function deriveModelName(fileName: string, repo: string | undefined): string {
  const parsed = parseGgufFileName(fileName);
  const generic = genericBases.has(parsed.base.toLowerCase().replaceAll("_", "-"));
  const base = slug(generic && repo !== undefined ? repo.replace(/[-_.]?gguf$/i, "") : parsed.base);
  const quant = parsed.quant === undefined ? "" : slug(parsed.quant);
  const name = [base.slice(0, maxNameLength - quant.length), quant].filter((part) => part !== "").join("-");
  return name === "" ? "model" : name;
}

/** Whether a name given by a person may be a model's name: 1-101 of `a-z 0-9 . _ -`, no `..`, starting plainly. */
export function isModelName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,100}$/.test(name) && !name.includes("..") && !/[.-]$/.test(name);
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/-{2,}/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[-._]+|[-._]+$/g, "");
}
