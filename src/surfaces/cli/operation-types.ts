import type { z } from "zod";
import type { closeAccountOperation } from "../../operations/accounts.close.ts";
import type { createAccountOperation } from "../../operations/accounts.create.ts";
import type { listAccountsOperation } from "../../operations/accounts.list.ts";
import type { showAccountOperation } from "../../operations/accounts.show.ts";
import type { showConfigOperation } from "../../operations/config.show.ts";
import type { databaseInfoOperation } from "../../operations/db.info.ts";
import type { createKeyOperation } from "../../operations/keys.create.ts";
import type { listKeysOperation } from "../../operations/keys.list.ts";
import type { revokeKeyOperation } from "../../operations/keys.revoke.ts";
import type { addModelOperation } from "../../operations/models.add.ts";
import type { listModelsOperation } from "../../operations/models.list.ts";
import type { removeModelOperation } from "../../operations/models.remove.ts";
import type { importPricesOperation } from "../../operations/prices.import.ts";
import type { listPricesOperation } from "../../operations/prices.list.ts";
import type { setPriceOperation } from "../../operations/prices.set.ts";
import type { showUsageOperation } from "../../operations/usage.show.ts";

/**
 * The operations that commands call, by name. Types only: the operations themselves (with zod and the database) are
 * loaded by whoever runs them, and a command that asks the running server need not wait for that.
 */
interface CalledOperations {
  "accounts.create": typeof createAccountOperation;
  "accounts.list": typeof listAccountsOperation;
  "accounts.show": typeof showAccountOperation;
  "accounts.close": typeof closeAccountOperation;
  "keys.create": typeof createKeyOperation;
  "keys.list": typeof listKeysOperation;
  "keys.revoke": typeof revokeKeyOperation;
  "usage.show": typeof showUsageOperation;
  "models.list": typeof listModelsOperation;
  "models.add": typeof addModelOperation;
  "models.remove": typeof removeModelOperation;
  "prices.set": typeof setPriceOperation;
  "prices.list": typeof listPricesOperation;
  "prices.import": typeof importPricesOperation;
  "config.show": typeof showConfigOperation;
  "db.info": typeof databaseInfoOperation;
}

export type CalledOperation = keyof CalledOperations;
export type OperationInput<Name extends CalledOperation> = z.input<CalledOperations[Name]["input"]>;
export type OperationOutput<Name extends CalledOperation> = z.output<CalledOperations[Name]["output"]>;
