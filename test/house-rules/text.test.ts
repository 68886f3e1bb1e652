import { beforeAll, expect, test } from "bun:test";
import { basename } from "node:path";
import { SyntaxKind } from "typescript/unstable/ast";
import { expectOnly } from "./exceptions.ts";
import { readSources, readText, repositoryFiles, type Source, under, walk } from "./repository.ts";

/** What a rule of this file says is written in this file. */
const THIS_FILE = "test/house-rules/text.test.ts";
const TEXT_FILE =
  /\.(?:ts|mjs|js|md|json|ya?ml|sh|toml|lock|example|txt|py|html|css)$|^(?:bin\/|Dockerfile|\.)|LICENSE/;

let sources: Source[];
let files: string[];
beforeAll(async () => {
  sources = (await readSources()).filter((source) => source.path !== THIS_FILE);
  files = repositoryFiles().filter((path) => path !== THIS_FILE && TEXT_FILE.test(path));
});

test("no test runs alone, and none is skipped without saying why", () => {
  const tests = under(sources, "test");
  expect(tests.length).toBeGreaterThan(20);
  expectOnly(
    tests.flatMap((source) => [
      ...linesWith(source, /\b(?:test|describe|it)\.only\b|\b(?:fdescribe|fit|xit|xdescribe)\(/),
      ...linesWith(source, /\b(?:test|describe|it)\.(?:skip|todo)\b/),
    ]),
    {},
  );
});

test("nothing is left to do: no such marks in comments", () => {
  expectOnly(
    sources.flatMap((source) => linesWith(source, /\b(?:TODO|FIXME|XXX|HACK)\b/)),
    {},
  );
});

const PRINTING_EXCEPTIONS: Record<string, string> = {};

test("the product writes through its logger or the command line's output, never to the console", () => {
  const product = under(sources, "src").filter((source) => !source.path.startsWith("src/surfaces/cli/"));
  const violations: string[] = [];
  for (const source of product) {
    walk(source.tree, (node) => {
      if (node.kind !== SyntaxKind.PropertyAccessExpression) return;
      if (node.getText(source.tree).startsWith("console.")) violations.push(source.path);
    });
  }
  expectOnly(violations, PRINTING_EXCEPTIONS);
});

/** Folders of the machine that this was written on, and servers that stand in for the public registries there. */
const OF_A_MACHINE = [
  /(?<![\w.@~-])\/(?:root|work|home\/[a-z]\w*)\/[\w.-]+/,
  /(?<![\w.-])\/tmp\/[\w.-]+/,
  /https?:\/\/(?!registry\.npmjs\.org)[\w.-]*(?:registry|artifactory|nexus|verdaccio|mirror)[\w.-]*(?::\d+)?\//i,
];

const MACHINE_EXCEPTIONS: Record<string, string> = {
  "test/config/load-config.test.ts: /work/data": "an invented working directory; nothing reads it",
  "test/config/support.ts: /work/parallama.yaml": "an invented working directory; nothing reads it",
  "test/providers/local-pull/parse-model-reference.test.ts: https://mirror.example/": "an invented host",
  "test/support/scripted-upstream.test.ts: /tmp/parallama-upstream-": "a socket's path must be short",
};

test("no committed file names a folder of one machine or a private package registry", () => {
  const violations = files.flatMap((path) => {
    const text = readText(path);
    return OF_A_MACHINE.flatMap((pattern) => {
      const found = pattern.exec(text)?.[0];
      return found === undefined ? [] : [`${path}: ${found}`];
    });
  });
  expectOnly(violations, MACHINE_EXCEPTIONS);
});

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test|\.d)?\.(?:ts|mjs)$/;
const OPERATION = /^[a-z]+\.[a-z]+\.ts$/;
/** Files of `operations/` that are not an operation. */
const BESIDE_OPERATIONS = new Set([
  "index.ts",
  "operation.ts",
  "price-shape.ts",
  "shapes.ts",
  "usage-figures.ts",
]);

test("file names are kebab-case; an operation's is noun.verb.ts", () => {
  const code = repositoryFiles().filter((path) =>
    /^(?:src|test|bench|tools|bin)\/.*\.(?:ts|mjs)$/.test(path),
  );
  expect(code.length).toBeGreaterThan(200);
  const wrong = code.filter((path) => {
    const name = basename(path);
    const isOperation = path.startsWith("src/operations/") && !BESIDE_OPERATIONS.has(name);
    return !(isOperation ? OPERATION : KEBAB).test(name);
  });
  expectOnly(wrong, {});
});

/** One word for one thing (ARCHITECTURE.md, "Words"): what must not be the name of anything in the code. */
const OTHER_WORDS: readonly (readonly [RegExp, string])[] = [
  [/customer|tenant/i, "account"],
  [/^(?:user|client)_?(?:id|row)s?$/i, "account"],
  [/api_?keys?(?:Id|_id|Row|Table)/i, "key"],
  [/^(?:backend|vendor)s?$/i, "provider"],
  [/^(?:quota|spend)s?$/i, "limit or cost"],
];

const WORD_EXCEPTIONS: Record<string, string> = {};

test("one word for one thing in every name of the product", () => {
  const violations: string[] = [];
  for (const source of under(sources, "src")) {
    walk(source.tree, (node) => {
      if (node.kind !== SyntaxKind.Identifier) return;
      const name = node.getText(source.tree);
      for (const [pattern, word] of OTHER_WORDS) {
        if (pattern.test(name)) violations.push(`${source.path}: ${name} (say ${word})`);
      }
    });
  }
  expectOnly(violations, WORD_EXCEPTIONS);
});

function linesWith(source: Source, pattern: RegExp): string[] {
  return source.text
    .split("\n")
    .flatMap((line, index) => (pattern.test(line) ? [`${source.path}:${index + 1}: ${line.trim()}`] : []));
}
