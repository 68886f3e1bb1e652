import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { type Node, type SourceFile, SyntaxKind } from "typescript/unstable/ast";
import { API } from "typescript/unstable/async";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Every file that is committed or is about to be: what git tracks, and what it would not ignore. Paths from the root. */
export function repositoryFiles(): string[] {
  const listed = Bun.spawnSync(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"],
    {
      cwd: ROOT,
    },
  );
  if (!listed.success) throw new Error(`git ls-files failed: ${listed.stderr.toString()}`);
  const removed = Bun.spawnSync(["git", "ls-files", "--deleted"], { cwd: ROOT })
    .stdout.toString()
    .split("\n");
  const gone = new Set(removed);
  return listed.stdout
    .toString()
    .split("\n")
    .filter((path) => path !== "" && !gone.has(path));
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** An import, a re-export or a dynamic import of another file of the repository. */
export interface ImportedFile {
  /** From the root, as the importing file's own path. */
  readonly target: string;
  /** The names as the other file exports them; "*": all of it. */
  readonly names: readonly string[];
}

export interface SourceFunction {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** What the house rules look at in a source file. */
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly tree: SourceFile;
  readonly imports: readonly ImportedFile[];
  /** Specifiers that do not begin with a dot: packages and `node:` modules. */
  readonly packages: readonly string[];
  readonly functions: readonly SourceFunction[];
}

/** Reads all TypeScript of the repository with the compiler's own parser. */
export async function readSources(): Promise<Source[]> {
  const known = new Set(repositoryFiles());
  const api = new API({ cwd: ROOT });
  try {
    const snapshot = await api.updateSnapshot({ openProject: join(ROOT, "tsconfig.json") });
    const project = snapshot.getProjects()[0];
    if (project === undefined) throw new Error("tsconfig.json cannot be opened");
    const sources: Source[] = [];
    for (const file of project.rootFiles) {
      const path = relative(ROOT, file);
      if (!known.has(path)) continue;
      const tree = await project.program.getSourceFile(file);
      if (tree === undefined) throw new Error(`${path} cannot be parsed`);
      sources.push(sourceOf(path, tree));
    }
    return sources;
  } finally {
    await api.close();
  }
}

export function under(sources: readonly Source[], folder: string): Source[] {
  return sources.filter((source) => source.path.startsWith(`${folder}/`));
}

/** Visits a node and everything below it. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  node.forEachChild((child) => {
    walk(child, visit);
    return undefined;
  });
}

export function lineOf(text: string, position: number): number {
  let line = 1;
  for (let i = 0; i < position; i++) if (text.charCodeAt(i) === 10) line++;
  return line;
}

function sourceOf(path: string, tree: SourceFile): Source {
  const imports: ImportedFile[] = [];
  const packages: string[] = [];
  const functions: SourceFunction[] = [];
  walk(tree, (node) => {
    const found = importIn(node);
    if (found !== undefined) {
      const { specifier, names } = found;
      if (specifier.startsWith(".")) imports.push({ target: join(dirname(path), specifier), names });
      else packages.push(specifier);
    }
    const name = functionName(node);
    if (name !== undefined) {
      const line = lineOf(tree.text, node.getStart(tree));
      functions.push({ name, line, lines: lineOf(tree.text, node.end) - line + 1 });
    }
  });
  return { path, text: tree.text, tree, imports, packages, functions };
}

function importIn(node: Node): { specifier: string; names: string[] } | undefined {
  const text = node.getText();
  if (node.kind === SyntaxKind.ImportDeclaration || node.kind === SyntaxKind.ExportDeclaration) {
    const specifier = /(?:from|^import)\s*["']([^"']+)["']/.exec(text)?.[1];
    return specifier === undefined ? undefined : { specifier, names: namesOf(text) };
  }
  if (node.kind === SyntaxKind.CallExpression) {
    const specifier = /^import\(\s*["']([^"']+)["']\s*\)/.exec(text)?.[1];
    return specifier === undefined ? undefined : { specifier, names: ["*"] };
  }
  if (node.kind === SyntaxKind.NewExpression) {
    // A thread or a file beside the source, named by `new URL("./x.ts", import.meta.url)`.
    const specifier = /^new URL\(\s*["'](\.[^"']+\.ts)["']/.exec(text)?.[1];
    return specifier === undefined ? undefined : { specifier, names: ["*"] };
  }
  return undefined;
}

/** `import { a, type b as c } from` gives a and b; a default import or a namespace gives "*". */
function namesOf(declaration: string): string[] {
  const braces = /\{([^}]*)\}/.exec(declaration)?.[1];
  const before = declaration.slice(0, declaration.indexOf("{") + 1 || declaration.length);
  if (braces === undefined || /\*|^import\s+(?:type\s+)?\w+\s*,/.test(before)) return ["*"];
  return braces
    .split(",")
    .map(
      (part) =>
        part
          .trim()
          .replace(/^type\s+/, "")
          .split(/\s+as\s+/)[0] ?? "",
    )
    .filter((name) => name !== "");
}

const FUNCTIONS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

function functionName(node: Node): string | undefined {
  if (!FUNCTIONS.has(node.kind)) return undefined;
  const named = "name" in node && node.name !== undefined ? (node.name as Node) : undefined;
  if (named !== undefined) return named.getText();
  const { parent } = node;
  if (parent.kind === SyntaxKind.VariableDeclaration && "name" in parent)
    return (parent.name as Node).getText();
  return node.kind === SyntaxKind.Constructor ? "constructor" : "(arrow)";
}
