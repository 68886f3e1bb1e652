/** What the crash tests share: a load of streams that a test holds in its hand, and a look into the database. */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { partly, post, STREAMED, type Streamed } from "../scenarios/bad-days/spoken.ts";
import type { GatewayProcess } from "../support/gateway-process.ts";
import { end, type Step, wait } from "../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../support/scripted-upstream.ts";
import { type Gate, gate, within } from "../support/within.ts";

export interface StoredRequest {
  readonly id: string;
  readonly status: number;
  readonly error: string | null;
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
}

/** Every request row of a database file, read beside whoever uses it. */
export function storedRequests(path: string): StoredRequest[] {
  using database = new Database(path, { readwrite: true, create: false });
  return database
    .query<StoredRequest, []>(
      "select id, status, error, input_tokens, output_tokens from requests order by id",
    )
    .all();
}

export function expectWhole(path: string): void {
  using database = new Database(path, { readwrite: true, create: false });
  expect(database.query("pragma integrity_check").values()).toEqual([["ok"]]);
  expect(database.query("pragma foreign_key_check").values()).toEqual([]);
}

/** Every row of `ids` is there once. */
export function expectRows(path: string, ids: Iterable<string | null>): void {
  const stored = storedRequests(path).map((row) => row.id);
  for (const id of ids) expect(stored.filter((other) => other === id)).toHaveLength(1);
}

/** Protocol number i of the streamed ones, over and over. */
export function streamedAt(i: number): Streamed {
  const spoken = STREAMED[i % STREAMED.length];
  if (spoken === undefined) throw new Error("no protocols");
  return spoken;
}

/** A provider whose streams stop after their first text until the gate opens; answers that are not streamed are whole. */
export async function heldProvider(): Promise<{ upstream: ScriptedUpstream; held: Gate } & AsyncDisposable> {
  const upstream = await scriptedUpstream();
  const held = gate();
  for (const spoken of STREAMED) {
    const [first, rest] = [
      spoken.events.slice(0, spoken.leading + 1),
      spoken.events.slice(spoken.leading + 1),
    ];
    upstream.replyAlways(`POST ${spoken.path}`, (): Step[] =>
      partly(spoken, first.length, [
        wait(held),
        ...rest.map((bytes): Step => ({ do: "chunk", bytes })),
        end(),
      ]),
    );
  }
  return { upstream, held, [Symbol.asyncDispose]: () => upstream.close() };
}

export interface HeldStream {
  readonly spoken: Streamed;
  readonly requestId: string | null;
  /** The whole answer's text, once it has ended; rejects when it was cut. */
  readonly text: Promise<string>;
}

/** Begins streams, all protocols in turn, and waits until each has its first text. */
export async function beginStreams(
  gateway: GatewayProcess,
  key: string,
  count: number,
): Promise<HeldStream[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const spoken = streamedAt(i);
      const response = await post(gateway.url, key, spoken, true);
      expect(response.status).toBe(200);
      const seen = gate();
      const text = readAll(response, seen);
      text.catch(() => undefined);
      await within("the first text", Promise.race([seen.opened, text]));
      return { spoken, requestId: response.headers.get("x-request-id"), text };
    }),
  );
}

async function readAll(response: Response, seen: Gate): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of response.body ?? []) {
    text += decoder.decode(part, { stream: true });
    if (text.includes("Hel")) seen.open();
  }
  return text;
}

/** The end of a whole answer, as the provider sent it. */
export function lastEvent(spoken: Streamed): string {
  return new TextDecoder().decode(spoken.events.at(-1));
}
