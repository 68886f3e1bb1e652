/** Turns tokens into text; `previous` are the tokens before them, which decide about leading spaces. */
export type Detokenize = (tokens: readonly number[], previous: readonly number[]) => string;

const replacement = "\uFFFD";
/** Bytes of one character that may be missing; a longer run of U+FFFD is not going to be completed. */
const longestUnfinished = 3;
/** How many earlier tokens the detokenizer is shown. */
const contextTokens = 4;

/**
 * Text of a growing list of tokens, piece by piece, never cut inside a character:
 * a token may hold only some bytes of one, which a tokenizer shows as U+FFFD until the rest has come.
 */
export class TokenText {
  readonly #detokenize: Detokenize;
  #previous: readonly number[] = [];
  #pending: number[] = [];
  #emittedLength = 0;

  constructor(detokenize: Detokenize) {
    this.#detokenize = detokenize;
  }

  /** Takes the next token; returns the text that is complete with it, often its own, sometimes "". */
  push(token: number): string {
    this.#pending.push(token);
    const text = this.#detokenize(this.#pending, this.#previous);
    const unfinished = trailingReplacements(text);
    if (unfinished > 0 && unfinished <= longestUnfinished) {
      const settled = text.slice(this.#emittedLength, text.length - unfinished);
      this.#emittedLength += settled.length;
      return settled;
    }
    const piece = text.slice(this.#emittedLength);
    this.#previous = [...this.#previous, ...this.#pending].slice(-contextTokens);
    this.#pending = [];
    this.#emittedLength = 0;
    return piece;
  }
}

function trailingReplacements(text: string): number {
  let count = 0;
  while (count < text.length && text[text.length - 1 - count] === replacement) count++;
  return count;
}
