import { formatKeyPath } from "../../config/key-path.ts";
import { yamlText } from "./text/yaml-text.ts";

type Path = readonly (string | number)[];
type Values = Readonly<Record<string, unknown>>;

/** A configuration as it may be shown, and where its keys came from. */
interface ShownConfig {
  readonly values: Values;
  /** By the path of a key; one that is not in it has its default. */
  readonly sources?: ReadonlyMap<string, string>;
  /** What this place's configuration is, where the values are a running server's. */
  readonly here?: { readonly values: Values; readonly sources: ReadonlyMap<string, string> };
}

/**
 * A configuration the way a file writes it, each value with its source. A running server does not tell its sources: they
 * are those of this place, wherever both have the same value; where not, that is said.
 */
export function renderConfig({ values, sources, here }: ShownConfig): string {
  if (here === undefined) {
    return yamlText(values, (path) => (sources === undefined ? undefined : sourceOf(path, sources)));
  }
  const head =
    "# Of the running server. Where a value is not what this directory's configuration says, that is noted.";
  const text = yamlText(values, (path) => {
    const shown = valueAt(values, path);
    const own = valueAt(here.values, path);
    if (JSON.stringify(own) === JSON.stringify(shown)) return sourceOf(path, here.sources);
    return `the server's own; here ${own === undefined ? "not set" : `${JSON.stringify(own)} (${sourceOf(path, here.sources)})`}`;
  });
  return `${head}\n${text}`;
}

/** The source of a key, or of the nearest key above it that has one: a list has one source for all its items. */
function sourceOf(path: Path, sources: ReadonlyMap<string, string>): string {
  for (let length = path.length; length > 0; length--) {
    const source = sources.get(formatKeyPath(path.slice(0, length)));
    if (source !== undefined) return source;
  }
  return "default";
}

function valueAt(tree: unknown, path: Path): unknown {
  let value: unknown = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, part);
  }
  return value;
}
