// The least a gateway in Bun can do and still be one: check a hashed key, parse the JSON both ways, count.
// It stands between nginx and the product in the tables, to tell what the runtime costs from what we cost.
// bun bench/bare-relay.ts PORT UPSTREAM KEY
import { createHash } from "node:crypto";

const [port, upstream, key] = process.argv.slice(2);
if (port === undefined || upstream === undefined || key === undefined) throw new Error("PORT UPSTREAM KEY");

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
const usedByKey = new Map<string, { requests: number; tokens: number }>([
  [hash(key), { requests: 0, tokens: 0 }],
]);

type Usage = { total_tokens?: number };
type Answer = { usage?: Usage };

async function* counted(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  used: { tokens: number },
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const chunk of body) {
    used.tokens++;
    yield chunk;
  }
}

Bun.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  idleTimeout: 0,
  async fetch(request) {
    const given = request.headers.get("authorization")?.slice("Bearer ".length) ?? "";
    const used = usedByKey.get(hash(given));
    if (used === undefined) return Response.json({ error: { message: "wrong key" } }, { status: 401 });
    const asked = JSON.parse(await request.text()) as { stream?: boolean };
    const answer = await fetch(`${upstream}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer upstream" },
      body: JSON.stringify(asked),
    });
    used.requests++;
    if (asked.stream === true && answer.body !== null) {
      // Bun takes an async generator as a body; the types that are loaded here do not know it.
      const body = counted(answer.body, used) as unknown as ReadableStream;
      return new Response(body, { headers: { "content-type": "text/event-stream" } });
    }
    const text = await answer.text();
    used.tokens += (JSON.parse(text) as Answer).usage?.total_tokens ?? 0;
    return new Response(text, { status: answer.status, headers: { "content-type": "application/json" } });
  },
});
