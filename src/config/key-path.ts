export type KeyPath = readonly (string | number)[];

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const LOOKS_SECRET = /^(?:sk|pk|rk|hf|ak|om|gsk|xai|AIza|ghp|key|token)\S*\d\S*$/;

/** A path as people write it: `models[0].targets[1].provider`. */
export function formatKeyPath(path: KeyPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else text += `${text === "" ? "" : "."}${PLAIN_KEY.test(part) ? part : JSON.stringify(part)}`;
  }
  return text;
}

/** As `formatKeyPath`, for errors: a name that may be a secret in the wrong place is not repeated. */
export function displayKeyPath(path: KeyPath): string {
  return formatKeyPath(
    path.map((part) => (typeof part === "string" && looksSecret(part) ? "(hidden name)" : part)),
  ).replaceAll('"(hidden name)"', "(hidden name)");
}

/** True for a name that nobody would give to a key, and a provider might give to a credential. */
export function looksSecret(name: string): boolean {
  return name.length > 64 || (name.length >= 16 && LOOKS_SECRET.test(name));
}
