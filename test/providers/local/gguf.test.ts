import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type GgufSummary, readGgufSummary } from "../../../src/providers/local/gguf.ts";
import { GgufError } from "../../../src/providers/local/gguf-reader.ts";
import { demoModelPath } from "../../support/demo-model.ts";
import { ggufEntry, ggufFile, ggufTensor } from "./gguf-bytes.ts";
import { temporaryDirectory } from "./support.ts";

const directory = temporaryDirectory();
afterAll(() => directory.remove());

async function read(bytes: Buffer): Promise<GgufSummary> {
  const path = join(directory.path, "model.gguf");
  writeFileSync(path, bytes);
  return await readGgufSummary(path);
}

const entries = [
  ggufEntry.text("general.architecture", "gpt2"),
  ggufEntry.text("general.name", "Tiny"),
  ggufEntry.uint32("general.file_type", 7),
  ggufEntry.uint32("gpt2.context_length", 512),
  ggufEntry.uint64("gpt2.embedding_length", 64n),
  ggufEntry.text("tokenizer.ggml.model", "gpt2"),
  ggufEntry.texts("tokenizer.ggml.tokens", ["a", "b", "c"]),
  ggufEntry.text("tokenizer.chat_template", "{{ messages }}"),
];
const tensors = [ggufTensor("one", [4, 8], 0), ggufTensor("two", [10], 128)];
const whole = ggufFile(entries, tensors, { dataBytes: 168 });

describe("readGgufSummary", () => {
  test("tells what the header says", async () => {
    expect(await read(whole)).toEqual({
      version: 3,
      sizeBytes: whole.length,
      architecture: "gpt2",
      name: "Tiny",
      contextTokens: 512,
      embeddingLength: 64,
      parameterCount: 42,
      quantization: "Q8_0",
      hasChatTemplate: true,
      tokenizer: "gpt2",
    });
  });

  test("leaves undefined what it does not say", async () => {
    const summary = await read(ggufFile([ggufEntry.text("general.architecture", "x")]));
    expect(summary).toMatchObject({ name: undefined, contextTokens: undefined, hasChatTemplate: false });
  });

  const architecture = ggufEntry.text("general.architecture", "x");
  const damaged: Record<string, Buffer> = {
    "an empty file": Buffer.alloc(0),
    "another kind of file": Buffer.from("PK\u0003\u0004 this is not a model, though it is long enough"),
    "version 1": ggufFile(entries, [], { version: 1 }),
    "a future version": ggufFile(entries, [], { version: 4 }),
    "a big-endian file": ggufFile(entries, [], { version: 0x03000000 }),
    "no architecture": ggufFile([ggufEntry.text("general.name", "x")]),
    "an architecture that is a number": ggufFile([ggufEntry.uint32("general.architecture", 1)]),
    "more entries than are there": ggufFile([architecture], [], { entryCount: 2n }),
    "an impossible number of entries": ggufFile([architecture], [], { entryCount: 2n ** 60n }),
    "an impossible number of tensors": ggufFile([architecture], [], { tensorCount: 2n ** 40n }),
    "a number beyond 2^53": ggufFile([architecture], [], { tensorCount: 2n ** 63n }),
    "a key twice": ggufFile([architecture, architecture]),
    "an array longer than the file": ggufFile([architecture, ggufEntry.claimedTexts("t", 2n ** 40n)]),
    "arrays in arrays in arrays": ggufFile([architecture, ggufEntry.nestedArrays("t", 20)]),
    "a value of unknown type": ggufFile([architecture, ggufEntry.ofType("t", 99)]),
    "a tensor of too many dimensions": ggufFile([architecture], [ggufTensor("t", Array(9).fill(1), 0)]),
    "a tensor of impossible size": ggufFile([architecture], [ggufTensor("t", [2 ** 40, 2 ** 40], 0)]),
    "weights that are missing": ggufFile(entries, [ggufTensor("t", [4], 1_000_000)]),
  };
  for (const [name, bytes] of Object.entries(damaged)) {
    test(`refuses ${name}`, async () => {
      await expect(read(bytes)).rejects.toBeInstanceOf(GgufError);
    });
  }

  test("refuses the file cut off anywhere inside its header", async () => {
    const headerBytes = whole.length - 168;
    for (let length = 0; length < headerBytes - 32; length++) {
      const error = await read(whole.subarray(0, length)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(GgufError);
    }
  });

  test("whatever bytes are changed, it answers or refuses, and nothing else", async () => {
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        await read(bytes).catch((thrown: unknown) => expect(thrown).toBeInstanceOf(GgufError));
      }),
      { numRuns: 500 },
    );
  });

  test("reads the demonstration model", async () => {
    const summary = await readGgufSummary(demoModelPath());
    expect(summary.hasChatTemplate).toBe(true);
    expect(summary.parameterCount).toBeGreaterThan(1000);
    expect(summary.contextTokens).toBeGreaterThan(0);
  });
});
