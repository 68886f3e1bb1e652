/** Plays a recorded or written answer through a scripted upstream. */
import { concat, type Split } from "./bytes.ts";
import { json, type Step, type StreamOptions, stream } from "./script.ts";

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: boolean;
  readonly chunks: readonly Uint8Array[];
}

/** Headers that say how the original was carried, not what it is. */
const carriage = new Set([
  "content-length",
  "transfer-encoding",
  "content-encoding",
  "connection",
  "keep-alive",
]);

/** The answer's own bytes, framed anew: a stream in chunks cut as `split` says, anything else with a length. */
export function replay(
  answer: WireAnswer,
  options: { split?: Split } & Pick<StreamOptions, "then" | "paced"> = {},
): Step[] {
  const headers = Object.fromEntries(
    Object.entries(answer.headers).filter(([name]) => !carriage.has(name.toLowerCase())),
  );
  if (!answer.stream) return json(answer.status, concat(answer.chunks), headers);
  const type = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
  return stream(answer.chunks, type ?? "text/event-stream", { ...options, status: answer.status, headers });
}
