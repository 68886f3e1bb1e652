/** Pulling models: `parallama model pull`. */

export { deriveModelName, isModelName } from "./derive-model-name.ts";
export { DEFAULT_HUB_URL } from "./hub-address.ts";
export type { Fetch } from "./network.ts";
export { type ParsedReference, parseModelReference, type ReferenceOptions } from "./parse-model-reference.ts";
export type { PullProgress } from "./progress-reporter.ts";
export type { PullError, PullErrorKind } from "./pull-error.ts";
export { type PulledModel, type PullOptions, type PullResult, pullModel } from "./pull-model.ts";
export type { PulledFile, PullReceipt } from "./pull-receipt.ts";
export { readPullReceipt } from "./pull-receipt.ts";
export { formatBytes, renderProgress } from "./render-progress.ts";
