import type { PullProgress } from "../../providers/local/pull/index.ts";
import { formatBytes, renderProgress } from "../../providers/local/pull/render-progress.ts";
import type { CliOutput } from "./cli-io.ts";

const DEFAULT_COLUMNS = 80;

/** Shows a pull: one line that moves on a terminal; elsewhere a line for each phase and each tenth. */
export class PullProgressView {
  readonly #output: CliOutput;
  #last: PullProgress | undefined;
  #lastTenth = 0;
  #isLineOpen = false;

  constructor(output: CliOutput) {
    this.#output = output;
  }

  update(progress: PullProgress): void {
    if (this.#output.isTerminal) {
      // One column stays free: some terminals break the line when the last one is written.
      const line = renderProgress(progress, (this.#output.columns ?? DEFAULT_COLUMNS) - 1);
      this.#output.write(`\r${line}\x1b[K`);
      this.#isLineOpen = true;
      return;
    }
    const share = progress.totalBytes ? progress.receivedBytes / progress.totalBytes : 0;
    const isNew = progress.phase !== this.#last?.phase || progress.file !== this.#last.file;
    const tenth = Math.floor(share * 10);
    if (!isNew && tenth <= this.#lastTenth) return;
    this.#last = progress;
    this.#lastTenth = tenth;
    this.#output.write(`${plainLine(progress, share)}\n`);
  }

  /** Ends the moving line, so that what follows begins on its own. */
  end(): void {
    if (this.#isLineOpen) this.#output.write("\n");
    this.#isLineOpen = false;
  }
}

function plainLine({ phase, file, receivedBytes, totalBytes }: PullProgress, share: number): string {
  if (phase === "resolve") return `${file}: looking up`;
  if (phase === "verify") return `${file}: verifying`;
  if (phase === "done") return `${file}: done, ${formatBytes(receivedBytes)}`;
  if (totalBytes === null) return `${file}: ${formatBytes(receivedBytes)}`;
  return `${file}: ${Math.floor(share * 100)}% of ${formatBytes(totalBytes)}`;
}
