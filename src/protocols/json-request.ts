import { gatewayError } from "../core/error.ts";
import { isRecord, type JsonObject, readJsonObject, withFields } from "../core/json-object.ts";
import { ok, type Result, refuse } from "../core/result.ts";
import type { AnswerReader, InferenceRequest, ProtocolName } from "../engine/ports.ts";

/** What a protocol adds to the common reading of a JSON request. */
export interface RequestForm {
  readonly protocol: ProtocolName;
  /** What `stream` means when it is absent. */
  readonly defaultStream: boolean;
  /** Fields that hold what the model reads. */
  readonly textFields: readonly string[];
  /** Checks the fields that the gateway itself depends on; anything else is the provider's to judge. */
  check(body: Readonly<Record<string, unknown>>): string | undefined;
  /** Fields to set on the way to the provider, besides the model's name. */
  patch?(body: Readonly<Record<string, unknown>>, stream: boolean): Record<string, unknown> | undefined;
  readAnswer(body: Readonly<Record<string, unknown>>, stream: boolean): AnswerReader;
}

/** Decodes the request of any of the JSON protocols: `model` and `stream` are read, all else stays as it came. */
export function decodeJsonRequest(
  form: RequestForm,
  bytes: Uint8Array,
  maxDepth: number,
): Result<InferenceRequest> {
  const read = readJsonObject(bytes, maxDepth);
  if (!read.ok) return read;
  const body = read.value.value;
  const { model, stream } = body;
  if (typeof model !== "string" || model === "") {
    const text =
      model === undefined
        ? "The field 'model' is required."
        : "The field 'model' must be a non-empty string.";
    return refuse(gatewayError("bad_request", text, { param: "model" }));
  }
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    return refuse(
      gatewayError("bad_request", "The field 'stream' must be true or false.", { param: "stream" }),
    );
  }
  const wrong = form.check(body);
  if (wrong !== undefined) {
    const param = /'([^']+)'/.exec(wrong)?.[1];
    return refuse(gatewayError("bad_request", wrong, param === undefined ? undefined : { param }));
  }
  return ok(requestOf(form, read.value, model, stream ?? form.defaultStream));
}

function requestOf(form: RequestForm, object: JsonObject, model: string, stream: boolean): InferenceRequest {
  let held: JsonObject | undefined = object;
  let knownPromptBytes: number | undefined;
  const promptBytes = () => {
    knownPromptBytes ??= form.textFields.reduce((sum, field) => sum + textBytes(held?.value[field]), 0);
    return knownPromptBytes;
  };
  return {
    protocol: form.protocol,
    model,
    stream,
    receivedBytes: object.bytes.length,
    promptBytes,
    forgetBody() {
      promptBytes();
      held = undefined;
    },
    bodyFor(targetModel) {
      const object = held;
      if (object === undefined) throw new Error("the request's body was given up");
      const patch = form.patch?.(object.value, stream);
      if (targetModel === model && patch === undefined) return object.bytes;
      return withFields(object, targetModel === model ? { ...patch } : { ...patch, model: targetModel });
    },
    readAnswer: () => form.readAnswer(held?.value ?? {}, stream),
  };
}

/** Keys whose text is not read as text: images and files in base64, addresses, ids. */
const NOT_TEXT: ReadonlySet<string> = new Set([
  "data",
  "url",
  "image_url",
  "images",
  "file_data",
  "id",
  "type",
  "role",
]);

function textBytes(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + textBytes(item), 0);
  if (!isRecord(value)) return 0;
  let sum = 0;
  for (const [key, item] of Object.entries(value)) if (!NOT_TEXT.has(key)) sum += textBytes(item);
  return sum;
}
