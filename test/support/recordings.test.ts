import { describe, expect, test } from "bun:test";
import { concat, fromUtf8 } from "./bytes.ts";
import { stringAt } from "./json-access.ts";
import { loadRecordings, type Recording, recording, recordings, recordingsSkipReason } from "./recordings.ts";
import { replay } from "./replay.ts";
import { scriptedUpstream } from "./scripted-upstream.ts";

test("where there are no recordings there is a reason, and only there", () => {
  expect(recordings().length === 0).toBe(recordingsSkipReason !== undefined);
});

describe.skipIf(recordingsSkipReason !== undefined)("the recordings", () => {
  test("are all loaded, or listed with a reason", () => {
    const { files, left } = loadRecordings();
    const withStreams = recordings().map(fileOf);
    const unaccounted = files.filter(
      (file) => !withStreams.includes(stem(file)) && !left.some((other) => other.file === file),
    );
    expect(unaccounted).toEqual([]);
    expect(left.filter(({ reason }) => reason === "")).toEqual([]);
  });

  test("have ids of their own", () => {
    const ids = recordings().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(() => recording("ollama/nobody")).toThrow("no recording ollama/nobody");
  });

  test("are of every protocol that their folders promise", () => {
    const kinds = new Set(
      recordings().map(({ collection, protocol, stream }) => `${collection} ${protocol} ${stream}`),
    );
    const promised = {
      "ai-sdk": ["openai-chat", "openai-responses", "anthropic-messages"],
      "openai-cassettes": ["openai-chat", "openai-completions"],
      ollama: ["ollama-chat", "ollama-generate", "openai-chat", "anthropic-messages"],
    };
    for (const [collection, protocols] of Object.entries(promised)) {
      if (!loadRecordings().files.some((file) => file.startsWith(`${collection}/`))) continue;
      for (const protocol of protocols)
        for (const stream of [true, false])
          expect([...kinds]).toContain(`${collection} ${protocol} ${stream}`);
    }
  });

  test("with several answers in a file are taken apart: none starts twice", () => {
    const starts = /^event: (message_start|response\.created)$/gm;
    const twice = recordings({ stream: true }).filter(
      ({ body, knownOdd }) => knownOdd === undefined && (fromUtf8(body).match(starts)?.length ?? 0) > 1,
    );
    expect(twice.map(({ id }) => id)).toEqual([]);
    const tokens = recordings().filter(({ id }) =>
      id.startsWith("ai-sdk/azure/azure-reasoning-encrypted-content.1.stream#"),
    );
    expect([0, 4]).toContain(tokens.length);
  });

  test("that break their protocol are marked, not left out", () => {
    const broken = recordings().find(
      ({ id }) => id === "ai-sdk/openai/responses/parallel-tool-call-wrapper.1.stream",
    );
    if (broken !== undefined) expect(broken.knownOdd).toContain("not JSON");
    const odd = recordings().filter(({ knownOdd }) => knownOdd !== undefined).length;
    expect(odd).toBeLessThan(recordings().length / 4);
  });

  test("carry requests where they were recorded", () => {
    for (const { id, request, collection } of recordings())
      expect([id, request !== undefined]).toEqual([id, collection !== "ai-sdk"]);
    for (const { id, request, protocol } of recordings({ collection: "openai-cassettes" }))
      expect([id, protocol, typeof stringAt(request?.body, "model")]).toEqual([id, protocol, "string"]);
  });

  test("come out of the scripted upstream as they are", async () => {
    await using upstream = await scriptedUpstream();
    for (const expected of recordings().filter((_, nth) => nth % 5 === 0)) {
      upstream.reply("*", replay(expected, { split: { seed: 7, max: 4000 } }));
      const response = await fetch(upstream.url);
      expect([expected.id, response.status]).toEqual([expected.id, expected.status]);
      expect(await response.text()).toBe(fromUtf8(concat(expected.chunks)));
    }
  });
});

function stem(file: string): string {
  return file.replace(/\.(json|yaml)$/, "").replace(/\.(chunks\.txt|sse)$/, ".stream");
}

function fileOf({ id }: Recording): string {
  return id.replace(/#\d+$/, "");
}
