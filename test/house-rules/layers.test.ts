import { beforeAll, expect, test } from "bun:test";
import { SyntaxKind } from "typescript/unstable/ast";
import { expectOnly } from "./exceptions.ts";
import { readSources, type Source, under, walk } from "./repository.ts";

/** ARCHITECTURE.md, "Layers": from the top down. Imports point downward; the top may do as it likes with itself. */
const LAYERS: readonly (readonly string[])[] = [
  [
    "main.ts",
    "app.ts",
    "serve.ts",
    "first-start.ts",
    "welcome.ts",
    "fill-catalog.ts",
    "offer-model.ts",
    "surfaces",
  ],
  ["operations"],
  [
    "protocols",
    "providers",
    "limits",
    "ledger",
    "accounts",
    "pricing",
    "billing",
    "storage",
    "telemetry",
    "config",
  ],
  ["engine"],
  ["core"],
];

/** Siblings that may import each other: [from, to]. */
const BETWEEN_SIBLINGS: readonly (readonly [string, string])[] = [
  ["providers", "protocols"],
  ["ledger", "storage"],
  ["accounts", "storage"],
  ["pricing", "storage"],
  ["limits", "storage"],
  ["billing", "storage"],
];

const IMPORT_EXCEPTIONS: Record<string, string> = {};

let sources: Source[];
beforeAll(async () => {
  sources = under(await readSources(), "src");
});

test("every file of src belongs to a layer", () => {
  expectOnly(
    sources.filter((source) => layerOf(source.path) < 0).map((source) => source.path),
    {},
  );
});

test("the imports are seen at all", () => {
  const app = sources.find((source) => source.path === "src/app.ts");
  expect(app?.imports).toContainEqual({ target: "src/accounts/key-ring.ts", names: ["KeyRing"] });
});

test("imports point downward, and siblings leave each other alone", () => {
  const violations: string[] = [];
  for (const source of sources) {
    for (const { target } of source.imports) {
      if (!target.startsWith("src/") || mayImport(source.path, target)) continue;
      violations.push(`${source.path} -> ${target}`);
    }
  }
  expectOnly(violations, IMPORT_EXCEPTIONS);
});

test("only app.ts constructs adapters", () => {
  const adapters = ["GroupJournal.open", "new KeyRing", "new ModelCatalog", "new MemoryPriceBook"];
  for (const adapter of adapters) {
    const places = sources.filter((source) => source.text.includes(adapter)).map((source) => source.path);
    expect({ adapter, places }).toEqual({ adapter, places: ["src/app.ts"] });
  }
});

/** Outside of the process, or different each time. */
const IMPURE_NAMES: ReadonlySet<string> = new Set([
  "fetch",
  "Date.now",
  "Math.random",
  "process.env",
  "crypto.getRandomValues",
  "crypto.randomUUID",
  "performance.now",
  "Bun.file",
  "Bun.write",
  "Bun.spawn",
  "Bun.env",
  "Bun.sleep",
  "console.log",
  "console.error",
  "new Date",
]);

const IMPURE_EXCEPTIONS: Record<string, string> = {
  "src/core/clock.ts: Date.now": "the one place where the time comes from",
  "src/core/clock.ts: performance.now": "the one place where the time comes from",
  "src/core/ids.ts: crypto.getRandomValues": "the one place where randomness comes from",
};

test("core and engine do no input or output and know no time, environment or chance", () => {
  const violations: string[] = [];
  for (const source of sources.filter(({ path }) => /^src\/(?:core|engine)\//.test(path))) {
    for (const name of source.packages) violations.push(`${source.path}: imports ${name}`);
    walk(source.tree, (node) => {
      const text = impureName(node.kind, node.getText(source.tree));
      if (text !== undefined) violations.push(`${source.path}: ${text}`);
    });
  }
  expectOnly(violations, IMPURE_EXCEPTIONS);
});

function impureName(kind: SyntaxKind, text: string): string | undefined {
  const name =
    kind === SyntaxKind.CallExpression
      ? text.slice(0, text.indexOf("("))
      : kind === SyntaxKind.NewExpression
        ? text.replace(/\(\s*\)$/, "") // without arguments: the current time
        : kind === SyntaxKind.PropertyAccessExpression
          ? text
          : "";
  return IMPURE_NAMES.has(name) ? name : undefined;
}

function layerOf(path: string): number {
  return LAYERS.findIndex((layer) => layer.includes(partOf(path)));
}

function partOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function mayImport(from: string, to: string): boolean {
  const part = partOf(from);
  const other = partOf(to);
  const down = layerOf(to) - layerOf(from);
  if (down > 0 || part === other || (down === 0 && layerOf(from) === 0)) return true;
  return (
    down === 0 && BETWEEN_SIBLINGS.some(([importer, imported]) => importer === part && imported === other)
  );
}
