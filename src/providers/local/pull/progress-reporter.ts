/** Where a pull stands. For a model in several parts the bytes are those of all parts together. */
export type PullProgress = {
  readonly phase: "resolve" | "download" | "verify" | "done";
  readonly receivedBytes: number;
  /** `null` while unknown: the server did not say. */
  readonly totalBytes: number | null;
  /** Over the last seconds, without what was already on the disk; 0 while unknown. */
  readonly bytesPerSecond: number;
  /** The file at hand, by its name in the models directory; the reference while that is unknown. */
  readonly file: string;
};

const reportIntervalMs = 100;
const speedWindowMs = 5_000;

/** Counts bytes and calls `onProgress`: at every change of phase or file, otherwise at most ten times a second. */
export class ProgressReporter {
  /** Of all files; `null` while a size is unknown. */
  totalBytes: number | null = null;
  #phase: PullProgress["phase"] = "resolve";
  #file: string;
  #finishedBytes = 0;
  #currentBytes = 0;
  #networkBytes = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #samples: { atMs: number; networkBytes: number }[] = [];

  constructor(
    file: string,
    private readonly onProgress: ((progress: PullProgress) => void) | undefined,
    private readonly now: () => number,
  ) {
    this.#file = file;
  }

  enter(phase: PullProgress["phase"], file: string = this.#file): void {
    this.#phase = phase;
    this.#file = file;
    this.#report(true);
  }

  /** States how much of the current file there is; `fromNetworkBytes` of it just came in. */
  received(currentBytes: number, fromNetworkBytes = 0): void {
    this.#currentBytes = currentBytes;
    this.#networkBytes += fromNetworkBytes;
    this.#report(false);
  }

  /** Forgets the current file's bytes: it begins again, or was only being checked. */
  beginFile(): void {
    this.#currentBytes = 0;
  }

  /** The current file is complete; the next one starts at zero. */
  finishFile(sizeBytes: number): void {
    this.#finishedBytes += sizeBytes;
    this.#currentBytes = 0;
  }

  #report(always: boolean): void {
    const atMs = this.now();
    if (this.onProgress === undefined || (!always && atMs - this.#reportedAtMs < reportIntervalMs)) return;
    this.#reportedAtMs = atMs;
    this.onProgress({
      phase: this.#phase,
      receivedBytes: this.#finishedBytes + this.#currentBytes,
      totalBytes: this.totalBytes,
      bytesPerSecond: this.#speed(atMs),
      file: this.#file,
    });
  }

  #speed(atMs: number): number {
    this.#samples.push({ atMs, networkBytes: this.#networkBytes });
    while (this.#samples.length > 2 && atMs - (this.#samples[0]?.atMs ?? atMs) > speedWindowMs) {
      this.#samples.shift();
    }
    const oldest = this.#samples[0];
    if (oldest === undefined || atMs <= oldest.atMs) return 0;
    return Math.round(((this.#networkBytes - oldest.networkBytes) * 1000) / (atMs - oldest.atMs));
  }
}
