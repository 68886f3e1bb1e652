/** A caller that does not read: its answer is held up at the provider, not in the gateway's memory. */
import { expect, test } from "bun:test";
import { utf8 } from "../../support/bytes.ts";
import { startProcess } from "../../support/gateway-process.ts";
import { rawClient, requestBytes } from "../../support/raw-client.ts";
import { chunk, chunkedHead, end } from "../../support/script.ts";
import { scriptedUpstream } from "../../support/scripted-upstream.ts";
import { within } from "../../support/within.ts";
import { until, yamlOf } from "./failing-gateway.ts";
import { bodyOf, STREAMED } from "./spoken.ts";

const MIB = 1024 * 1024;
const EVENTS = 4_000;
const EVENT_BYTES = 64 * 1024;

/** Waits until a number has not changed for twenty looks. */
async function settled(what: string, look: () => number): Promise<number> {
  let last = look();
  let same = 0;
  await until(`${what} to stand still`, async () => {
    await Bun.sleep(50);
    const now = look();
    same = now === last ? same + 1 : 0;
    last = now;
    return same >= 20;
  });
  return last;
}

test.each(STREAMED)(
  "250 MB for a reader that stops: $name",
  async (spoken) => {
    const text = "x".repeat(EVENT_BYTES);
    const event = utf8(new TextDecoder().decode(spoken.events[spoken.leading]).replace("Hel", text));
    await using upstream = await scriptedUpstream();
    upstream.replyAlways("*", function* () {
      yield chunkedHead(200, { "Content-Type": spoken.contentType });
      for (const lead of spoken.events.slice(0, spoken.leading)) yield chunk(lead);
      for (let i = 0; i < EVENTS; i++) yield chunk(event);
      for (const rest of spoken.events.slice(-2)) yield chunk(rest);
      yield end();
    });
    await using gateway = await startProcess({ yaml: yamlOf(upstream.url) });
    await using client = await rawClient(gateway.url);
    const headers = { Authorization: `Bearer ${gateway.userKey}` };
    await client.write(requestBytes({ path: spoken.path, headers, body: bodyOf(spoken, true) }));
    await client.readUntil("\r\n\r\n");
    client.stopReading();
    const before = gateway.memory();
    const asked = await upstream.next();
    const sent = await settled("the provider", () => asked.sentBytes());

    expect(sent).toBeLessThan(32 * MIB);
    expect(gateway.memory() - before).toBeLessThan(64 * MIB);
    // Others are served meanwhile.
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);

    let received = 0;
    client.startReading();
    const reading = (async () => {
      const marker = text.slice(0, EVENT_BYTES - 1);
      for (let i = 0; i < EVENTS; i++) {
        await client.readUntil(marker);
        received++;
      }
    })();
    await within("all of it", reading, 110_000);
    expect(received).toBe(EVENTS);
    await client.readUntil("\r\n0\r\n\r\n");
    expect(gateway.memory() - before).toBeLessThan(128 * MIB);
    await until("its line in the log", () =>
      gateway
        .events()
        .some((line) => line.event === "access" && line.status === 200 && line.model !== undefined),
    );
    expect(await gateway.stop()).toBe(0);
  },
  240_000,
);
