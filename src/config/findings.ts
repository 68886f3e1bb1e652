import type { ConfigError, ConfigWarning } from "./config.ts";
import { displayKeyPath, formatKeyPath, type KeyPath } from "./key-path.ts";

/** Where each value came from, by key path. */
export class Sources {
  readonly #byKey = new Map<string, string>();
  readonly #fallback: string;

  /** `fallback` stands for what nobody set. */
  constructor(fallback: string) {
    this.#fallback = fallback;
  }

  set(key: string, source: string): void {
    this.#byKey.set(key, source);
  }

  /** The source of a value, or of the nearest group around it that has one. */
  of(path: KeyPath): string {
    for (let length = path.length; length > 0; length--) {
      const source = this.#byKey.get(formatKeyPath(path.slice(0, length)));
      if (source !== undefined) return source;
    }
    return this.#fallback;
  }
}

/** Collects what is wrong, so that all of it can be told at once. */
export class Findings {
  readonly errors: ConfigError[] = [];
  readonly warnings: ConfigWarning[] = [];
  readonly #sources: Sources;
  readonly #failed: KeyPath[] = [];

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  error(path: KeyPath, message: string): void {
    // What follows from an error already told is no news.
    if (this.hasFailed(path)) return;
    this.#failed.push(path);
    this.errors.push({ key: displayKeyPath(path), source: this.#sources.of(path), message });
  }

  warn(path: KeyPath, message: string): void {
    this.warnings.push({ key: displayKeyPath(path), source: this.#sources.of(path), message });
  }

  /** True if there is an error at this path, or at a group that it stands in. */
  hasFailed(path: KeyPath): boolean {
    return this.#failed.some(
      (failed) => failed.length <= path.length && failed.every((part, index) => part === path[index]),
    );
  }

  /** True if there is an error at this path, or at anything inside it. */
  hasFailedWithin(path: KeyPath): boolean {
    return this.#failed.some((failed) => path.every((part, index) => part === failed[index]));
  }
}
