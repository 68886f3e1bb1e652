import type { DatabaseConfig } from "./config.ts";
import { Problem } from "./problem.ts";
import { type Resolution, resolvePath } from "./resolution.ts";
import type { Settings } from "./settings-schema.ts";

/** Where the database is: `database.path`, or `database.url`, or a file in the data directory. */
export function resolveDatabase(
  resolution: Resolution,
  settings: Settings["database"],
  dataDir: string,
): DatabaseConfig {
  const { findings } = resolution;
  const fallback = resolvePath(resolution, `${dataDir}/parallama.db`);
  if (settings.path !== undefined && settings.url !== undefined) {
    findings.error(["database", "url"], "give either `path` or `url`, not both");
  }
  const key = settings.url === undefined ? "path" : "url";
  const text = settings.url ?? settings.path;
  if (text === undefined) return { kind: "sqlite", path: fallback };
  const path = sqlitePath(text);
  if (path instanceof Problem) {
    findings.error(["database", key], path.message);
    return { kind: "sqlite", path: fallback };
  }
  return { kind: "sqlite", path: resolvePath(resolution, path) };
}

/**
 * The file that an SQLite address means: `sqlite:///relative`, `sqlite:////absolute` (as SQLAlchemy writes them),
 * `file:...`, or a bare path. Never repeats the address: one of another database may hold a password.
 */
function sqlitePath(text: string): string | Problem {
  const trimmed = text.trim();
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(trimmed)?.[1]?.toLowerCase();
  if (scheme === undefined) return checkedPath(trimmed);
  if (/^postgres(?:ql)?(?:\+.*)?$/.test(scheme)) {
    return new Problem(
      "PostgreSQL is not supported yet; give an SQLite address such as sqlite:///./data/parallama.db",
    );
  }
  if (scheme === "file")
    return checkedPath(decoded(trimmed.slice("file:".length).replace(/^\/\/(?:localhost)?(?=\/)/, "")));
  if (/^sqlite3?(?:\+.*)?$/.test(scheme)) {
    const rest = trimmed.slice(trimmed.indexOf(":") + 1);
    if (rest.startsWith("///")) return checkedPath(rest.slice(3));
    if (rest.startsWith("//"))
      return new Problem("after sqlite:, three slashes begin a relative path and four an absolute one");
    return checkedPath(rest);
  }
  return new Problem(
    "only SQLite is supported; expected sqlite:///relative, sqlite:////absolute, file:... or a path",
  );
}

function checkedPath(path: string): string | Problem {
  if (path === "" || path.endsWith("/")) return new Problem("the address names no file");
  if (path === ":memory:") return new Problem("a database in memory would lose the ledger; name a file");
  if (path.includes("?")) return new Problem("parameters (?) are not supported in a database address");
  if (path.includes("\0")) return new Problem("expected a path");
  return path;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
