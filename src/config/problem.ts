/** What is wrong with a value, in words that do not repeat it. */
export class Problem {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}
