import { resolve } from "node:path";

/**
 * The GGUF file of the small demonstration model that the project carries.
 * PARALLAMA_TEST_MODEL names another file to test with instead.
 */
export function demoModelPath(): string {
  const fromRepository = resolve(import.meta.dir, "../../assets/models/parallama-demo.gguf");
  return process.env.PARALLAMA_TEST_MODEL ?? fromRepository;
}
