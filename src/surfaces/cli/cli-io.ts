/** The terminal, files and environment that the command line works with. A test brings its own. */
export interface CliIo {
  readonly stdout: CliOutput;
  readonly stderr: CliOutput;
  readonly stdin: CliInput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  now(): number;
  /** Calls back at Ctrl-C, in place of ending the program, until the function that it gives is called. */
  onInterrupt(listener: () => void): () => void;
}

export interface CliOutput {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width of the terminal, where it is known. */
  readonly columns: number | undefined;
}

export interface CliInput {
  readonly isTerminal: boolean;
  /** The next line without its end; `undefined` when there is none. */
  readLine(): Promise<string | undefined>;
}
