/** `llama2` and `llama2:latest` are one model, everywhere. A name that would be nothing without the suffix keeps it. */
export function canonicalModelName(name: string): string {
  return name.length > LATEST.length && name.endsWith(LATEST) ? name.slice(0, -LATEST.length) : name;
}

const LATEST = ":latest";
