import type { z } from "zod";
import type { OPERATIONS } from "../../operations/index.ts";

/**
 * The operations that commands call, by name. Types only: the operations themselves (with zod and the database) are
 * loaded by whoever runs them, and a command that asks the running server need not wait for that.
 */
type Operations = (typeof OPERATIONS)[number];
type CalledOperations = { [Name in Operations["name"]]: Extract<Operations, { name: Name }> };

export type CalledOperation = keyof CalledOperations;
export type OperationInput<Name extends CalledOperation> = z.input<CalledOperations[Name]["input"]>;
export type OperationOutput<Name extends CalledOperation> = z.output<CalledOperations[Name]["output"]>;
