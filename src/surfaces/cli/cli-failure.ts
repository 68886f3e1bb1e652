export const EXIT_OK = 0;
export const EXIT_ERROR = 1;
export const EXIT_USAGE = 2;

/** Ends a command: `Error: <message>` on standard error, and this exit code. */
export class CliFailure extends Error {
  override readonly name = "CliFailure";
  readonly exitCode: number;

  constructor(message: string, exitCode: typeof EXIT_ERROR | typeof EXIT_USAGE = EXIT_ERROR) {
    super(message);
    this.exitCode = exitCode;
  }
}
