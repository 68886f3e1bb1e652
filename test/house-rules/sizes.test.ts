import { beforeAll, test } from "bun:test";
import { expectOnly } from "./exceptions.ts";
import { readSources, type Source, under } from "./repository.ts";

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;

const LONG_FILES: Record<string, string> = {};

const LONG_FUNCTIONS: Record<string, string> = {
  "src/app.ts: createApp": "the composition root: a list of the parts in the order of their making",
};

let sources: Source[];
beforeAll(async () => {
  sources = await readSources();
});

test(`no file has more than ${MAX_FILE_LINES} lines`, () => {
  const long = sources.filter((source) => source.text.split("\n").length - 1 > MAX_FILE_LINES);
  expectOnly(
    long.map((source) => source.path),
    LONG_FILES,
  );
});

test(`no function of the product has more than ${MAX_FUNCTION_LINES} lines`, () => {
  const product = [...under(sources, "src"), ...under(sources, "tools"), ...under(sources, "bench")];
  const long = product.flatMap(({ path, functions }) =>
    functions.filter(({ lines }) => lines > MAX_FUNCTION_LINES).map(({ name }) => `${path}: ${name}`),
  );
  expectOnly(long, LONG_FUNCTIONS);
});
