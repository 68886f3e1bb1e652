import { accessSync, constants, readFileSync, statSync } from "node:fs";

/** The text of a file, as `loadConfig` asks for it: `undefined` if there is none, an error if it cannot be read. */
export function readConfigText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    if (
      thrown instanceof Error &&
      "code" in thrown &&
      (thrown.code === "ENOENT" || thrown.code === "ENOTDIR")
    ) {
      return undefined;
    }
    throw thrown;
  }
}

/** True for a directory in which this process may create files. */
export function isWritableDirectory(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
