/** What a caller that did not ask for usage must see of a stream that has it: an oracle apart from the gateway. */
import { fromUtf8, utf8 } from "../../support/bytes.ts";
import { isObject, property } from "../../support/json-access.ts";

export function asksForUsage(body: unknown): boolean {
  return property(property(body, "stream_options"), "include_usage") === true;
}

/** The stream without its usage chunk, and without `"usage":null` on the others. */
export function seesNoUsage(stream: Uint8Array): Uint8Array {
  const frames = fromUtf8(stream).split(/(?<=\n\n)/);
  return utf8(
    frames
      .filter((frame) => !carriesOnlyUsage(frame))
      .map(withoutNull)
      .join(""),
  );
}

function carriesOnlyUsage(frame: string): boolean {
  const chunk = chunkIn(frame);
  const choices = property(chunk, "choices");
  return isObject(property(chunk, "usage")) && Array.isArray(choices) && choices.length === 0;
}

function withoutNull(frame: string): string {
  return property(chunkIn(frame), "usage") === null ? frame.replace(',"usage":null', "") : frame;
}

function chunkIn(frame: string): unknown {
  try {
    return JSON.parse(frame.replace(/^data: /, ""));
  } catch {
    return undefined;
  }
}
