/** What a price row's model ends with when the price is that of a model's snapshots: `claude-sonnet-4-5-*`. */
export const SNAPSHOTS = "-*";

const SNAPSHOT = /^(.+)[-@](?:20\d\d(-?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01])|latest)$/;

/**
 * The model that a name is a snapshot of: `gpt-4o` for `gpt-4o-2024-08-06`, `claude-sonnet-4-5` for
 * `claude-sonnet-4-5-20250929`, `...@20250929` and `...-latest`. Anything else (`-mini`, `-fast`, `-preview`) is a model
 * of its own, and gives `undefined`.
 */
export function snapshotBase(model: string): string | undefined {
  return SNAPSHOT.exec(model)?.[1];
}
