import { describe, expect, test } from "bun:test";
import { chooseHubFiles, type HubFile } from "../../../src/providers/local/pull/choose-hub-files.ts";
import { ggufPartPaths, parseGgufFileName } from "../../../src/providers/local/pull/gguf-file-name.ts";
import { deriveModelName, isModelName } from "../../../src/providers/local/pull/index.ts";

describe("deriveModelName", () => {
  const cases: [fileName: string, repo: string | undefined, name: string][] = [
    ["SmolLM2-135M-Instruct-Q4_K_M.gguf", "SmolLM2-135M-Instruct-GGUF", "smollm2-135m-instruct-q4_k_m"],
    ["SmolLM2-135M-Instruct.Q4_K_M.gguf", undefined, "smollm2-135m-instruct-q4_k_m"],
    ["smollm2_135m_q8_0.gguf", undefined, "smollm2_135m-q8_0"],
    ["Llama-3.2-1B-Instruct-UD-Q4_K_XL.gguf", undefined, "llama-3.2-1b-instruct-ud-q4_k_xl"],
    ["gpt-oss-20b-MXFP4.gguf", undefined, "gpt-oss-20b-mxfp4"],
    ["Phi-4-BF16-00001-of-00003.gguf", undefined, "phi-4-bf16"],
    ["tiny-f16.gguf", undefined, "tiny-f16"],
    ["no quant here.gguf", undefined, "no-quant-here"],
    ["ggml-model-q4_0.gguf", "My_Model-GGUF", "my_model-q4_0"],
    ["model.gguf", "Owner.Model.gguf", "owner.model"],
    ["Q4_0.gguf", "Thing-GGUF", "thing-q4_0"],
    ["Q4_0.gguf", undefined, "q4_0"],
    ["model.gguf", undefined, "model"],
    ["模型.gguf", undefined, "model"],
    ["..weird..name...gguf", undefined, "weird.name"],
    ["sha256-abcdef", undefined, "sha256-abcdef"],
    [`${"long".repeat(60)}-Q4_0.gguf`, undefined, `${"long".repeat(24)}-q4_0`],
  ];
  for (const [fileName, repo, name] of cases) {
    test(`${fileName.slice(0, 40)} is ${name.slice(0, 40)}`, () => {
      expect(deriveModelName(fileName, repo)).toBe(name);
      expect(isModelName(name)).toBe(true);
    });
  }

  test("names that could leave the directory are not names", () => {
    for (const name of ["", "..", "a/b", "a\\b", ".hidden", "A", "a b", "a..b", "a.", "x".repeat(102)]) {
      expect(isModelName(name)).toBe(false);
    }
  });
});

test("a part's name gives the names of all parts", () => {
  expect(ggufPartPaths("d/m-00002-of-00003.gguf")).toEqual([
    "d/m-00001-of-00003.gguf",
    "d/m-00002-of-00003.gguf",
    "d/m-00003-of-00003.gguf",
  ]);
  expect(ggufPartPaths("d/m.gguf")).toEqual(["d/m.gguf"]);
  expect(parseGgufFileName("m-Q4_0-00002-of-00003.gguf")).toEqual({
    base: "m",
    quant: "Q4_0",
    part: { number: 2, count: 3 },
  });
});

describe("chooseHubFiles", () => {
  const reference = { kind: "hub", owner: "o", repo: "r" } as const;
  const listing = (...paths: string[]): HubFile[] =>
    paths.map((path) => ({ path, sizeBytes: 1, sha256: undefined }));
  const chosen = (files: HubFile[], more: object = {}): string[] | string => {
    const outcome = chooseHubFiles(files, { ...reference, ...more });
    return "error" in outcome ? outcome.error.message : outcome.files.map((file) => file.path);
  };
  const many = listing(
    "README.md",
    "m-F16.gguf",
    "m-Q4_0.gguf",
    "m-Q4_K_M.gguf",
    "m-Q8_0.gguf",
    "mmproj-Q4_K_M.gguf",
  );

  test("prefers Q4_K_M, then Q4_0, Q4_1, Q8_0, then the first model", () => {
    expect(chosen(many)).toEqual(["m-Q4_K_M.gguf"]);
    expect(chosen(listing("m-Q8_0.gguf", "m-Q4_1.gguf", "m-q4_0.gguf"))).toEqual(["m-q4_0.gguf"]);
    expect(chosen(listing("m-Q8_0.gguf", "m-Q4_1.gguf"))).toEqual(["m-Q4_1.gguf"]);
    expect(chosen(listing("m-Q8_0.gguf", "m-F16.gguf"))).toEqual(["m-Q8_0.gguf"]);
    expect(chosen(listing("z.gguf", "b.gguf", "mmproj-a.gguf", "imatrix.gguf"))).toEqual(["b.gguf"]);
  });

  test("finds a quantisation whatever its case, and never a longer one", () => {
    expect(chosen(many, { quant: "q8_0" })).toEqual(["m-Q8_0.gguf"]);
    expect(chosen(many, { quant: "Q4_K" })).toContain("has no Q4_K. It has: F16, Q4_0, Q4_K_M, Q8_0");
    expect(chosen(listing("m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"), { quant: "Q4_K_M" })).toEqual([
      "m-Q4_K_M.gguf",
    ]);
    expect(chosen(listing("m-UD-Q4_K_M.gguf"), { quant: "Q4_K_M" })).toEqual(["m-UD-Q4_K_M.gguf"]);
    expect(chosen(listing("m.Q4_0.v2.gguf"), { quant: "Q4_0" })).toEqual(["m.Q4_0.v2.gguf"]);
  });

  test("asks which one when several files have the quantisation", () => {
    const files = listing("small-Q4_0.gguf", "large-Q4_0.gguf");
    expect(chosen(files, { quant: "Q4_0" })).toContain("hf:o/r/large-Q4_0.gguf, hf:o/r/small-Q4_0.gguf");
    expect(chosen(files)).toEqual(["large-Q4_0.gguf"]);
  });

  test("takes all parts of a split model, in order, and refuses an incomplete set", () => {
    const parts = ["Q4_0/m-00001-of-00003.gguf", "Q4_0/m-00002-of-00003.gguf", "Q4_0/m-00003-of-00003.gguf"];
    const shuffled = listing(...parts.toReversed());
    expect(chosen(shuffled)).toEqual(parts);
    expect(chosen(shuffled, { quant: "q4_0" })).toEqual(parts);
    expect(chosen(shuffled, { file: parts[1] })).toEqual(parts);
    expect(chosen(listing(...parts.slice(0, 2)))).toContain("no file Q4_0/m-00003-of-00003.gguf");
    expect(chosen(listing("m-00001-of-99999.gguf"))).toContain("too many");
    expect(chosen(listing("m-00000-of-00000.gguf"), { file: "m-00000-of-00000.gguf" })).toContain("no parts");
  });

  test("keeps to the folder", () => {
    const files = listing("a/m-Q4_0.gguf", "b/m-Q4_0.gguf");
    expect(chosen(files, { folder: "b", quant: "Q4_0" })).toEqual(["b/m-Q4_0.gguf"]);
  });

  test("says when there is no model", () => {
    expect(chosen(listing("model.safetensors"))).toContain("-GGUF");
    expect(chosen(many, { file: "x.gguf" })).toContain("no file x.gguf");
  });
});
