import { readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";

export interface DeletedFiles {
  readonly deleted: readonly string[];
  readonly freedBytes: number;
}

const PART = /-\d{5}-of-\d{5}\.gguf$/i;

/**
 * Deletes a model's file from the models directory, with its other parts and the receipt of its download. Nothing
 * outside of the directory is touched, whatever `file` says.
 */
export async function deleteModelFiles(modelsDir: string, file: string): Promise<DeletedFiles> {
  if (file !== basename(file) || !file.toLowerCase().endsWith(".gguf")) return { deleted: [], freedBytes: 0 };
  const stem = file.replace(PART, "").replace(/\.gguf$/i, "");
  const names = await readdir(modelsDir).catch(() => []);
  const wanted = names.filter(
    (name) => name === file || name === `${stem}.json` || isPartOf(name, stem, file),
  );
  let freedBytes = 0;
  for (const name of wanted) {
    const path = join(modelsDir, name);
    freedBytes += (await stat(path)).size;
    await rm(path);
  }
  return { deleted: wanted.filter((name) => name.endsWith(".gguf")), freedBytes };
}

function isPartOf(name: string, stem: string, file: string): boolean {
  return PART.test(file) && PART.test(name) && name.replace(PART, "") === stem;
}
