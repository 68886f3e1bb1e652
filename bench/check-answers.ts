// Before anything is measured: each subject gives the right answers. A benchmark of errors is worth nothing.
import { COMPLETION, eventsOf, plainBody, streamBody, streamText } from "./shapes.ts";
import type { Started } from "./subject.ts";
import type { Target } from "./wire.ts";

export type Checked = {
  /** Size of the completion as this subject gives it, which every measured answer must have. */
  bodyBytes: number;
  /** How the answers differ from the upstream's bytes; empty when they do not. */
  remarks: string[];
};

type Completion = { choices: { message: { content: string } }[]; usage: { total_tokens: number } };
const essence = (text: string): string => {
  const { choices, usage } = JSON.parse(text) as Completion;
  return JSON.stringify([choices[0]?.message.content, usage.total_tokens]);
};

async function post(target: Target, body: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${target.port}${target.path}`, {
    method: "POST",
    headers: { ...target.headers, "Content-Type": "application/json" },
    body,
    signal: AbortSignal.timeout(60_000),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`answered ${answer.status}: ${text.slice(0, 500)}`);
  return text;
}

export async function checkAnswers(subject: Started): Promise<Checked> {
  const remarks: string[] = [];
  let bodyBytes = 0;
  for (const promptBytes of [200, 10_000, 400_000]) {
    const text = await post(subject.plain, plainBody(promptBytes));
    if (essence(text) !== essence(COMPLETION))
      throw new Error(`answered something else: ${text.slice(0, 500)}`);
    if (text !== COMPLETION && bodyBytes === 0) remarks.push("completion: same content, other bytes");
    if (bodyBytes !== 0 && bodyBytes !== Buffer.byteLength(text)) {
      throw new Error("completions of different sizes for the same upstream answer");
    }
    bodyBytes = Buffer.byteLength(text);
  }
  const deltas = 20;
  const text = await post(subject.streams, streamBody(deltas, 2));
  const events = text.split("\n\n").length - 1;
  if (events !== eventsOf(deltas)) {
    throw new Error(`a stream of ${eventsOf(deltas)} events came as ${events}: ${text.slice(-300)}`);
  }
  if (text !== streamText(deltas)) remarks.push("stream: same events, other bytes");
  return { bodyBytes, remarks };
}
