import type { Provider, ProviderTimeouts } from "../engine/ports.ts";
import { ANTHROPIC } from "./anthropic.ts";
import { HttpProvider, type ProviderKind } from "./http-provider.ts";
import type { LocalProcess } from "./local/local-process.ts";
import { LocalProvider } from "./local/local-provider.ts";
import { OLLAMA } from "./ollama.ts";
import { OPENAI_COMPATIBLE } from "./openai-compatible.ts";

/** A configured provider, secrets revealed. */
export interface ProviderDeclaration {
  readonly name: string;
  readonly type: "openai-compatible" | "anthropic" | "ollama" | "local";
  readonly baseUrl: string | null;
  readonly apiKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly paid: boolean;
  readonly timeouts: ProviderTimeouts;
  readonly models: readonly string[] | null;
}

export interface LocalParts {
  readonly process: LocalProcess;
  readonly modelsDir: string;
  readonly demoModelPath: string;
}

const KINDS: Record<Exclude<ProviderDeclaration["type"], "local">, ProviderKind> = {
  "openai-compatible": OPENAI_COMPATIBLE,
  anthropic: ANTHROPIC,
  ollama: OLLAMA,
};

/** Makes a provider from its declaration. A new kind of provider is a file and a line here. */
export function createProvider(
  declaration: ProviderDeclaration,
  local: LocalParts,
  nowMs: () => number,
): Provider {
  const { name, type, paid, timeouts, models } = declaration;
  if (type === "local") return new LocalProvider({ name, paid, timeouts, nowMs, ...local });
  const headers = { ...credentials(declaration), ...declaration.headers };
  const baseUrl = declaration.baseUrl ?? "";
  return new HttpProvider(KINDS[type], { name, baseUrl, paid, timeouts, headers, models, nowMs });
}

function credentials({ type, apiKey }: ProviderDeclaration): Record<string, string> {
  if (apiKey === null) return {};
  return type === "anthropic" ? { "x-api-key": apiKey } : { authorization: `Bearer ${apiKey}` };
}
