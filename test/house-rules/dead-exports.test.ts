import { beforeAll, test } from "bun:test";
import { type Node, SyntaxKind } from "typescript/unstable/ast";
import { expectOnly } from "./exceptions.ts";
import { readSources, type Source, walk } from "./repository.ts";

/** Started by name, not imported. */
const ENTRIES: ReadonlySet<string> = new Set(["src/main.ts"]);

/** Exports that only tests import. */
const FOR_TESTS: Record<string, string> = {
  "src/engine/meter.ts: priceUsage": "the arithmetic of a charge, tested apart from where prices come from",
  "src/protocols/frames.ts: MAX_FRAME_BYTES": "a bound, whose test goes to it and beyond",
};

let sources: Source[];
beforeAll(async () => {
  sources = await readSources();
});

test("every value that src exports is imported somewhere other than in a test", () => {
  expectOnly(
    unused((item) => !item.isType),
    FOR_TESTS,
  );
});

test("every type that src exports is used: imported elsewhere, or part of what its own file says", () => {
  expectOnly(
    unused((item, source) => item.isType && mentions(source, item.name) < 2),
    {},
  );
});

interface Exported {
  readonly name: string;
  readonly isType: boolean;
}

function unused(concerns: (item: Exported, source: Source) => boolean): string[] {
  const used = new Set<string>();
  for (const source of sources) {
    if (source.path.startsWith("test/")) continue;
    for (const { target, names } of source.imports) for (const name of names) used.add(`${target}: ${name}`);
  }
  return sources
    .filter(({ path }) => path.startsWith("src/") && !ENTRIES.has(path) && !used.has(`${path}: *`))
    .flatMap((source) =>
      exportsOf(source)
        .filter((item) => concerns(item, source) && !used.has(`${source.path}: ${item.name}`))
        .map(({ name }) => `${source.path}: ${name}`),
    );
}

const TYPES: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
]);
const DECLARATION =
  /^export\s+(?:default\s+|declare\s+|abstract\s+|async\s+)*(?:function\*?|class|const|let|interface|type|enum)\s+(\w+)/;

function exportsOf(source: Source): Exported[] {
  const items: Exported[] = [];
  for (const statement of source.tree.statements as Iterable<Node>) {
    const text = statement.getText(source.tree);
    const name = DECLARATION.exec(text)?.[1];
    if (name !== undefined) items.push({ name, isType: TYPES.has(statement.kind) });
    else if (statement.kind === SyntaxKind.ExportDeclaration) items.push(...reExports(text));
  }
  return items;
}

function reExports(text: string): Exported[] {
  const names = /\{([^}]*)\}/.exec(text)?.[1]?.split(",") ?? [];
  return names.flatMap((part) => {
    const words = part.trim().split(/\s+as\s+/);
    const name = (words.at(-1) ?? "").replace(/^type\s+/, "");
    return name === ""
      ? []
      : [{ name, isType: /^export\s+type|^type\s/.test(text) || part.trim().startsWith("type ") }];
  });
}

function mentions(source: Source, name: string): number {
  let count = 0;
  walk(source.tree, (node) => {
    if (node.kind === SyntaxKind.Identifier && node.getText(source.tree) === name) count++;
  });
  return count;
}
