import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What was pulled, kept as `<name>.json` beside the model: a second pull need not hash gigabytes to know it. */
export type PullReceipt = {
  readonly name: string;
  /** Where from, without revision, query or secret: `hf:owner/repo/path`, an address, or `file:...`. */
  readonly source: string;
  readonly commit: string | null;
  readonly license: string | null;
  readonly files: readonly PulledFile[];
};

export type PulledFile = { readonly fileName: string; readonly sizeBytes: number; readonly sha256: string };

/** The receipt of a model, `undefined` if there is none that can be read. */
export async function readPullReceipt(directory: string, name: string): Promise<PullReceipt | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(receiptPath(directory, name), "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    const { source, commit, license, files } = value as Record<string, unknown>;
    if (typeof source !== "string" || !Array.isArray(files)) return undefined;
    return {
      name,
      source,
      commit: typeof commit === "string" ? commit : null,
      license: typeof license === "string" ? license : null,
      files: files.filter(isPulledFile),
    };
  } catch {
    return undefined;
  }
}

/** Replaces the receipt in one step. */
export async function writePullReceipt(directory: string, receipt: PullReceipt): Promise<void> {
  const path = receiptPath(directory, receipt.name);
  await writeFile(`${path}.new`, `${JSON.stringify(receipt, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function receiptPath(directory: string, name: string): string {
  return join(directory, `${name}.json`);
}

function isPulledFile(value: unknown): value is PulledFile {
  if (typeof value !== "object" || value === null) return false;
  const { fileName, sizeBytes, sha256 } = value as Record<string, unknown>;
  return typeof fileName === "string" && typeof sizeBytes === "number" && typeof sha256 === "string";
}
