import { ggufPartPaths, maxGgufParts, parseGgufFileName } from "./gguf-file-name.ts";
import type { HubReference } from "./parse-model-reference.ts";

/** One file of a repository, as its listing tells it. */
export type HubFile = {
  readonly path: string;
  readonly sizeBytes: number | undefined;
  /** Lower-case hex; known for files in large-file storage, which every model is. */
  readonly sha256: string | undefined;
};

export type ChosenFiles =
  | { readonly files: readonly HubFile[] }
  | { readonly error: { readonly kind: "not_found" | "bad_reference"; readonly message: string } };

/** Quantisations in the order in which one is preferred when none is asked for. */
const preferredQuants: readonly string[] = ["Q4_K_M", "Q4_0", "Q4_1", "Q8_0"];

/**
 * Which files of a repository a reference means: one file, or all parts of a split one, in order. Without a
 * quantisation the first of `preferredQuants` that exists, else the first model by path. Vision projectors
 * (`mmproj`) and importance matrices are never chosen unless named.
 */
export function chooseHubFiles(listing: readonly HubFile[], reference: HubReference): ChosenFiles {
  const title = `${reference.owner}/${reference.repo}`;
  if (reference.file !== undefined) return withAllParts(listing, reference.file, title);

  const prefix = reference.folder === undefined ? "" : `${reference.folder}/`;
  const models = listing
    .filter((file) => file.path.toLowerCase().endsWith(".gguf") && file.path.startsWith(prefix))
    .filter((file) => !/mmproj|imatrix/i.test(fileName(file.path)))
    .filter((file) => (parseGgufFileName(fileName(file.path)).part?.number ?? 1) === 1)
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const [first] = models;
  if (first === undefined) {
    return notFound(`${title} has no .gguf file here. Look for a repository whose name ends in -GGUF.`);
  }
  if (reference.quant === undefined) {
    const preferred = preferredQuants
      .map((quant) => matching(models, quant)[0])
      .find((file) => file !== undefined);
    return withAllParts(listing, (preferred ?? first).path, title);
  }

  const [match, ...others] = matching(models, reference.quant);
  if (match === undefined) {
    return notFound(`${title} has no ${reference.quant}. It has: ${quantsOf(models)}.`);
  }
  if (others.length > 0) {
    const paths = [match, ...others].slice(0, 5).map((file) => `hf:${title}/${file.path}`);
    const message = `Several files of ${title} are ${reference.quant}. Name one: ${paths.join(", ")}.`;
    return { error: { kind: "bad_reference", message } };
  }
  return withAllParts(listing, match.path, title);
}

/** Files of a quantisation: by their own name first, else by the folder's or anywhere in the name. */
function matching(models: readonly HubFile[], quant: string): readonly HubFile[] {
  const wanted = normal(quant);
  const exact = models.filter(
    (file) => normal(parseGgufFileName(fileName(file.path)).quant ?? "") === wanted,
  );
  if (exact.length > 0) return exact;
  const escaped = wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const bounded = new RegExp(`(?:^|[-._/])${escaped}(?:$|[-./])`, "i");
  return models.filter((file) => bounded.test(file.path));
}

function withAllParts(listing: readonly HubFile[], path: string, title: string): ChosenFiles {
  const paths = ggufPartPaths(path);
  if (paths.length > maxGgufParts)
    return notFound(`${path} claims ${paths.length} parts, which is too many.`);
  const files: HubFile[] = [];
  for (const part of paths) {
    const file = listing.find((entry) => entry.path === part);
    if (file === undefined) {
      const whole = paths.length === 1 ? "" : ` (part of a model of ${paths.length} files)`;
      return notFound(`${title} has no file ${part}${whole} at this revision.`);
    }
    files.push(file);
  }
  return files.length > 0 ? { files } : notFound(`${path} names a model of no parts.`);
}

function quantsOf(models: readonly HubFile[]): string {
  const names = models.map((file) => parseGgufFileName(fileName(file.path)).quant ?? fileName(file.path));
  const unique = [...new Set(names)];
  return unique.length > 12 ? `${unique.slice(0, 12).join(", ")} and more` : unique.join(", ");
}

function notFound(message: string): ChosenFiles {
  return { error: { kind: "not_found", message } };
}

function normal(quant: string): string {
  return quant.toLowerCase();
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
