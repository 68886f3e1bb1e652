/**
 * Lets text through until one of the stop strings appears, and withholds what may be the beginning of one.
 * A stop string may come in any number of pieces.
 */
export class StopFilter {
  readonly #stops: readonly string[];
  #held = "";
  #stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** True once a stop string was seen: nothing more will come out. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the next piece; returns the text that is now certain not to belong to a stop string. */
  push(piece: string): string {
    if (this.#stopped) return "";
    const text = this.#held + piece;
    const stopAt = this.#firstStop(text);
    if (stopAt !== -1) {
      this.#stopped = true;
      this.#held = "";
      return text.slice(0, stopAt);
    }
    const heldLength = this.#possibleStart(text);
    this.#held = text.slice(text.length - heldLength);
    return text.slice(0, text.length - heldLength);
  }

  /** The end of the text: what was withheld and never became a stop string. */
  flush(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  /** Where the stop string begins that is complete first: so the pieces' boundaries make no difference. */
  #firstStop(text: string): number {
    let firstStart = -1;
    let firstEnd = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      const end = start + stop.length;
      if (start === -1 || end > firstEnd || (end === firstEnd && start > firstStart)) continue;
      firstStart = start;
      firstEnd = end;
    }
    return firstStart;
  }

  /** Length of the longest end of `text` with which a stop string begins. */
  #possibleStart(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
