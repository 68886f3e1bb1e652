/** Plays one script on one connection. */
import type { Socket } from "node:net";
import { concat, utf8 } from "./bytes.ts";
import { headerOf } from "./http-message.ts";
import type { Script, Step } from "./script.ts";

/**
 * - `complete`: the answer was sent as promised, and the connection can be used again
 * - `closed-by-script`: the script closed the connection, or the answer had to end by closing it
 * - `cut-by-script`: the script reset it, or threw
 * - `closed-by-peer`: the other side went away first
 */
export type AnswerEnd = "complete" | "closed-by-script" | "cut-by-script" | "closed-by-peer";

export interface Stage {
  readonly socket: Socket;
  /** Resolves when the connection is gone, whoever ended it. */
  readonly gone: Promise<void>;
  readonly sent: (byteCount: number) => void;
}

/** What the headers sent so far promise about the body. */
interface Promised {
  framing: "nothing-yet" | "chunked" | "length" | "until-close";
  missingBytes: number;
  closes: boolean;
}

export async function playScript(script: Script, stage: Stage): Promise<AnswerEnd> {
  const promised: Promised = { framing: "nothing-yet", missingBytes: 0, closes: false };
  let left = false;
  const leaving = stage.gone.then(() => {
    left = true;
  });
  for await (const step of script) {
    if (left) return "closed-by-peer";
    const end = await playStep(step, promised, stage, leaving);
    if (end !== undefined) return end;
  }
  if (left) return "closed-by-peer";
  return await endAsPromised(promised, stage, leaving);
}

async function playStep(
  step: Step,
  promised: Promised,
  stage: Stage,
  leaving: Promise<void>,
): Promise<AnswerEnd | undefined> {
  switch (step.do) {
    case "head":
      notePromise(step, promised);
      return await send(headBytes(step), stage, leaving);
    case "bytes":
      promised.missingBytes -= step.bytes.length;
      return await send(step.bytes, stage, leaving);
    case "chunk":
      return await send(chunkBytes(step.bytes), stage, leaving);
    case "wait":
      return await unlessGone(step.until, leaving);
    case "pause":
      for (let turn = 0; turn < step.turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      return undefined;
    case "end":
      return await endAsPromised(promised, stage, leaving);
    case "close":
      stage.socket.end();
      return "closed-by-script";
    case "reset":
      stage.socket.resetAndDestroy();
      return "cut-by-script";
    case "hang":
      await leaving;
      return "closed-by-peer";
  }
}

function notePromise(step: Extract<Step, { do: "head" }>, promised: Promised): void {
  if (step.status < 200) return;
  const length = headerOf(step.headers, "content-length");
  const bodiless = step.status === 204 || step.status === 304;
  if (headerOf(step.headers, "transfer-encoding")?.toLowerCase() === "chunked") promised.framing = "chunked";
  else if (length !== undefined || bodiless) promised.framing = "length";
  else promised.framing = "until-close";
  promised.missingBytes = bodiless ? 0 : Number(length ?? 0);
  promised.closes = headerOf(step.headers, "connection")?.toLowerCase() === "close";
}

async function endAsPromised(promised: Promised, stage: Stage, leaving: Promise<void>): Promise<AnswerEnd> {
  const { framing } = promised;
  if (framing === "chunked") {
    const end = await send(utf8("0\r\n\r\n"), stage, leaving);
    if (end !== undefined) return end;
  }
  const whole = framing === "chunked" || (framing === "length" && promised.missingBytes === 0);
  if (whole && !promised.closes) return "complete";
  stage.socket.end();
  return "closed-by-script";
}

/** Hands bytes to the socket and waits while it is full, so that a script runs no faster than its reader. */
async function send(bytes: Uint8Array, stage: Stage, leaving: Promise<void>): Promise<AnswerEnd | undefined> {
  if (bytes.length === 0) return undefined;
  const drained = Promise.withResolvers<void>();
  stage.socket.once("drain", drained.resolve);
  const taken = stage.socket.write(bytes);
  const end = taken ? undefined : await unlessGone(drained.promise, leaving);
  stage.socket.off("drain", drained.resolve);
  if (end === undefined) stage.sent(bytes.length);
  return end;
}

async function unlessGone(until: Promise<unknown>, leaving: Promise<void>): Promise<AnswerEnd | undefined> {
  const gone = Symbol("gone");
  const first = await Promise.race([until, leaving.then(() => gone)]);
  return first === gone ? "closed-by-peer" : undefined;
}

function headBytes(step: Extract<Step, { do: "head" }>): Uint8Array {
  const lines = step.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return utf8(`HTTP/1.1 ${step.status} ${step.reason}\r\n${lines}\r\n`);
}

function chunkBytes(bytes: Uint8Array): Uint8Array {
  return concat([utf8(`${bytes.length.toString(16)}\r\n`), bytes, utf8("\r\n")]);
}
