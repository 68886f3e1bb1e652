import type { GatewayError } from "../../core/error.ts";

/** An error as Ollama's own routes answer: https://github.com/ollama/ollama/blob/main/docs/api.md */
export function ollamaErrorBody(error: GatewayError): { error: string } {
  return { error: error.message };
}
