import { inspect } from "node:util";

const REDACTED = "[redacted]";

/**
 * A value that must not be written anywhere: a provider's key, a token, a header.
 *
 * Whatever turns a `Secret` into text (template, `JSON.stringify`, `console.log`, `util.inspect`) gives
 * "[redacted]". Only `reveal()` gives the value, so that one search finds every place that uses it.
 */
export class Secret {
  /** A private field: neither spread nor `Object.entries` nor an inspector can reach it. */
  readonly #value: string;
  /** Where the value came from, safe to show: "env OPENAI_API_KEY", "parallama.yaml:12". */
  readonly origin: string;

  constructor(value: string, origin: string) {
    this.#value = value;
    this.origin = origin;
  }

  /** The value itself. Use it where it is sent or compared, and keep no copy. */
  reveal(): string {
    return this.#value;
  }

  /** True if both hold the same value. For the comparison of configurations, not of credentials. */
  equals(other: Secret | undefined): boolean {
    return other !== undefined && other.#value === this.#value;
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
