import { gatewayError } from "../../src/core/error.ts";
import type { ListedModel, ProtocolName, Provider } from "../../src/engine/ports.ts";

/** A provider that lists what a test says, and counts how often it was asked. */
export interface FakeProvider extends Provider {
  asked: number;
  /** Names of models, or what is thrown instead of a list. */
  lists: readonly (string | ListedModel)[] | Error;
  /** Where set, a list is held back until it resolves. */
  held: Promise<void> | undefined;
}

export interface FakeProviderOptions {
  readonly paid?: boolean;
  /** The only models that it has in its own store. */
  readonly has?: readonly string[];
  readonly speaks?: readonly ProtocolName[];
}

export function fakeProvider(
  name: string,
  lists: FakeProvider["lists"] = [],
  options: FakeProviderOptions = {},
): FakeProvider {
  const { paid = false, has, speaks = ["openai-chat"] } = options;
  return {
    name,
    paid,
    lists,
    asked: 0,
    held: undefined,
    tokenPerPiece: false,
    timeouts: { connectMs: 1, firstByteMs: 1, idleMs: 1, totalMs: 1 },
    speaks: (protocol) => speaks.includes(protocol),
    lacks: (model) => (has === undefined || has.includes(model) ? undefined : `it has no '${model}'`),
    nameInBody: (model) => model,
    async listModels() {
      this.asked++;
      await this.held;
      if (this.lists instanceof Error) throw this.lists;
      return this.lists.map((model) => (typeof model === "string" ? { model } : model));
    },
    send: () => Promise.reject(new Error("a fake provider serves nothing")),
    readError: () => gatewayError("provider_rejected", "no"),
  };
}
