import { closeAccountOperation } from "./accounts.close.ts";
import { createAccountOperation } from "./accounts.create.ts";
import { listAccountsOperation } from "./accounts.list.ts";
import { showAccountOperation } from "./accounts.show.ts";
import { showConfigOperation } from "./config.show.ts";
import { databaseInfoOperation } from "./db.info.ts";
import { createKeyOperation } from "./keys.create.ts";
import { listKeysOperation } from "./keys.list.ts";
import { revokeKeyOperation } from "./keys.revoke.ts";
import { addModelOperation } from "./models.add.ts";
import { listModelsOperation } from "./models.list.ts";
import { removeModelOperation } from "./models.remove.ts";
import type { Operation } from "./operation.ts";
import { importPricesOperation } from "./prices.import.ts";
import { listPricesOperation } from "./prices.list.ts";
import { setPriceOperation } from "./prices.set.ts";
import { showUsageOperation } from "./usage.show.ts";

/** Every administrative act of the product. */
export const OPERATIONS = [
  createAccountOperation,
  listAccountsOperation,
  showAccountOperation,
  closeAccountOperation,
  createKeyOperation,
  listKeysOperation,
  revokeKeyOperation,
  showUsageOperation,
  listModelsOperation,
  addModelOperation,
  removeModelOperation,
  setPriceOperation,
  listPricesOperation,
  importPricesOperation,
  showConfigOperation,
  databaseInfoOperation,
] as const satisfies readonly Operation[];

export function findOperation(name: string): Operation | undefined {
  return OPERATIONS.find((operation) => operation.name === name);
}
