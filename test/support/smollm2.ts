import { skipReason } from "./skip.ts";

/** SmolLM2-135M-Instruct, a real instructed model: PARALLAMA_TEST_SMOLLM2 names its GGUF file. "" where it is not there. */
export const smolLm2Path: string = process.env.PARALLAMA_TEST_SMOLLM2 ?? "";

/** Why the tests against it are skipped; undefined where they run. */
export const smolLm2SkipReason: string | undefined = reasonToSkip();

function reasonToSkip(): string | undefined {
  if (smolLm2Path !== "") return undefined;
  const unreachable = process.env.PARALLAMA_TEST_SKIP_SMOLLM2 ?? "";
  if (unreachable !== "") return skipReason("host unreachable", unreachable);
  return skipReason("not installed", "SmolLM2: PARALLAMA_TEST_SMOLLM2 does not name its GGUF file");
}
