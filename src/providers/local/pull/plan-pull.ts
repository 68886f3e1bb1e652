import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { chooseHubFiles } from "./choose-hub-files.ts";
import { deriveModelName } from "./derive-model-name.ts";
import { ggufPartPaths, maxGgufParts } from "./gguf-file-name.ts";
import { fetchRepoInfo, listHubFiles, resolveUrl } from "./hub-client.ts";
import { displayUrl, type Network } from "./network.ts";
import type { HubReference, ParsedReference } from "./parse-model-reference.ts";
import { PullStop } from "./pull-error.ts";

/** What a pull will bring, decided before any of it is fetched. */
export type PullPlan = {
  readonly name: string;
  /** Where the first file comes from, without revision, query or secret. */
  readonly source: string;
  readonly commit: string | undefined;
  readonly license: string | undefined;
  /** In the order of the parts. */
  readonly files: readonly PlannedFile[];
};

export type PlannedFile = {
  readonly fileName: string;
  readonly source: string;
  readonly from: { readonly url: string } | { readonly path: string };
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
};

/** Looks a reference up. Only hub references need the network for it. `name` overrides the derived one. */
export async function planPull(
  reference: ParsedReference,
  network: Network,
  name: string | undefined,
): Promise<PullPlan> {
  if (reference.kind === "hub") return planHub(reference, network, name);
  return reference.kind === "url" ? planUrl(reference.url, name) : planFile(reference.path, name);
}

async function planHub(
  reference: HubReference,
  network: Network,
  name: string | undefined,
): Promise<PullPlan> {
  const title = `${reference.owner}/${reference.repo}`;
  const revision = reference.revision ?? "main";
  // All files are then taken from one commit, even if the branch moves meanwhile.
  const info = await fetchRepoInfo(network, title, revision);
  const pinned = info.commit ?? revision;
  const chosen = chooseHubFiles(await listHubFiles(network, title, pinned), reference);
  if ("error" in chosen) throw new PullStop(chosen.error.kind, chosen.error.message);

  const firstPath = chosen.files[0]?.path ?? "";
  const modelName = name ?? deriveModelName(basename(firstPath), reference.repo);
  const files = chosen.files.map((file, index) => ({
    fileName: partFileName(modelName, index, chosen.files.length),
    source: `hf:${title}/${file.path}`,
    from: { url: resolveUrl(network, title, pinned, file.path) },
    sizeBytes: file.sizeBytes,
    sha256: file.sha256,
  }));
  return {
    name: modelName,
    source: `hf:${title}/${firstPath}`,
    commit: info.commit,
    license: info.license,
    files,
  };
}

function planUrl(url: string, name: string | undefined): PullPlan {
  const parsed = new URL(url);
  const paths = checkedParts(parsed.pathname);
  const modelName = name ?? deriveModelName(decoded(basename(parsed.pathname)), undefined);
  const files = paths.map((path, index) => {
    const part = new URL(url);
    part.pathname = path;
    return {
      fileName: partFileName(modelName, index, paths.length),
      source: displayUrl(part.href),
      from: { url: part.href },
      sizeBytes: undefined,
      sha256: undefined,
    };
  });
  return plainPlan(modelName, files);
}

async function planFile(path: string, name: string | undefined): Promise<PullPlan> {
  const absolute = resolve(/^~[/\\]/.test(path) ? join(homedir(), path.slice(2)) : path);
  const paths = checkedParts(absolute);
  const modelName = name ?? deriveModelName(basename(absolute), undefined);
  const files = paths.map(async (part, index) => ({
    fileName: partFileName(modelName, index, paths.length),
    source: `file:${part}`,
    from: { path: part },
    // A missing file is reported when it is its turn.
    sizeBytes: await stat(part).then(
      (found) => found.size,
      () => undefined,
    ),
    sha256: undefined,
  }));
  return plainPlan(modelName, await Promise.all(files));
}

function plainPlan(name: string, files: readonly PlannedFile[]): PullPlan {
  return { name, source: files[0]?.source ?? "", commit: undefined, license: undefined, files };
}

function checkedParts(path: string): string[] {
  const paths = ggufPartPaths(path);
  if (paths.length > 0 && paths.length <= maxGgufParts) return paths;
  throw new PullStop(
    "bad_reference",
    `The file name claims ${paths.length} parts; up to ${maxGgufParts} are possible.`,
  );
}

/** llama.cpp finds the other parts by this pattern, so it is kept. */
function partFileName(name: string, index: number, count: number): string {
  if (count === 1) return `${name}.gguf`;
  return `${name}-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
