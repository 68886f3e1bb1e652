import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CliFailure } from "./cli-failure.ts";
import type { CliIo } from "./cli-io.ts";

/** The text of a file that a command names; `-` is standard input. */
export async function readTextFile(io: CliIo, path: string): Promise<string> {
  if (path === "-") return readInput(io);
  try {
    return await readFile(resolve(io.cwd, path), "utf8");
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "unknown reason";
    throw new CliFailure(
      code === "ENOENT" ? `There is no file '${path}'` : `'${path}' cannot be read (${code})`,
    );
  }
}

async function readInput({ stdin }: CliIo): Promise<string> {
  const lines: string[] = [];
  for (;;) {
    const line = await stdin.readLine();
    if (line === undefined) return lines.join("\n");
    lines.push(line);
  }
}
