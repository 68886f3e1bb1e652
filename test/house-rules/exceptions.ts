import { expect } from "bun:test";

/**
 * Compares what breaks a rule with what may. An exception has a reason, and must still be needed: one that is not any
 * more fails as an unlisted violation does.
 */
export function expectOnly(violations: Iterable<string>, exceptions: Readonly<Record<string, string>>): void {
  const found = [...new Set(violations)].sort();
  const unlisted = found.filter((violation) => exceptions[violation] === undefined);
  const unneeded = Object.keys(exceptions).filter((exception) => !found.includes(exception));
  expect({ violations: unlisted, exceptionsNoLongerNeeded: unneeded }).toEqual({
    violations: [],
    exceptionsNoLongerNeeded: [],
  });
}
