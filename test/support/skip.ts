/**
 * The only way for tests to be left out. With CI=true a test is skipped for two reasons alone: the recordings are not
 * there, or a host cannot be reached; any other reason is an error then. Elsewhere the reason is printed.
 */
export type SkipKind =
  | "recordings absent"
  | "host unreachable"
  /** Something that this machine lacks and that .ci/run installs. Never under CI. */
  | "not installed";

/** Hands a reason on, undefined where the tests run. Throws under CI if the reason is not one of the allowed. */
export function skipReason(kind: SkipKind, reason: string | undefined): string | undefined {
  if (reason === undefined) return undefined;
  if (process.env.CI === "true" && kind === "not installed") {
    throw new Error(`With CI=true nothing may be skipped for this: ${reason}`);
  }
  console.info(`skipped (${kind}): ${reason}`);
  return reason;
}
