import { describe, expect, test } from "bun:test";
import { fromUtf8 } from "./bytes.ts";
import { refusingPort, silentListener } from "./dead-ends.ts";
import { rawClient, requestBytes } from "./raw-client.ts";

function server() {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const url = new URL(request.url);
      if (url.pathname === "/echo") return new Response(await request.text());
      if (url.pathname === "/empty") return new Response(null, { status: 204 });
      const stream = new ReadableStream({
        async start(controller) {
          controller.enqueue("one");
          await Bun.sleep(1);
          controller.enqueue("two");
          controller.close();
        },
      });
      return new Response(stream, { headers: { "X-Kind": "stream" } });
    },
  });
}

describe("the raw client", () => {
  test("reads answers of each framing, several on one connection", async () => {
    await using gateway = server();
    await using client = await rawClient(gateway.url.href);
    await client.write(requestBytes({ path: "/echo", body: { a: "é" } }));
    const echo = await client.readResponse();
    expect([echo.status, echo.framing, echo.json()]).toEqual([200, "length", { a: "é" }]);
    await client.write(requestBytes({ path: "/stream" }));
    const streamed = await client.readResponse();
    expect([streamed.framing, streamed.text(), streamed.header("x-kind")]).toEqual([
      "chunked",
      "onetwo",
      "stream",
    ]);
    await client.write(requestBytes({ path: "/empty" }));
    expect((await client.readResponse()).status).toBe(204);
    await client.write(requestBytes({ method: "HEAD", path: "/echo" }));
    expect((await client.readResponse("HEAD")).body.length).toBe(0);
  });

  test("can send half a request, and learns that the other side refused garbage", async () => {
    await using gateway = server();
    await using client = await rawClient(gateway.url.href);
    const whole = requestBytes({ path: "/echo", body: "0123456789" });
    await client.write(whole.subarray(0, whole.length - 5));
    expect(client.pending.length).toBe(0);
    await client.write(whole.subarray(whole.length - 5));
    expect((await client.readResponse()).text()).toBe("0123456789");
    await client.write("\x00\x01 garbage\r\n\r\n");
    expect((await client.readResponse()).status).toBe(400);
  });

  test("says what it had received when the marker does not come", async () => {
    await using gateway = server();
    await using client = await rawClient(gateway.url.href);
    await client.write(requestBytes({ path: "/stream", headers: { connection: "close" } }));
    expect(fromUtf8(await client.readUntil("one"))).toStartWith("HTTP/1.1 200");
    await expect(client.readUntil("three")).rejects.toThrow("two");
    expect(await client.closed).toBe("ended");
  });
});

describe("dead ends", () => {
  test("the silent listener takes and never gives", async () => {
    await using silent = await silentListener();
    await using client = await rawClient(silent.url);
    await client.write("hello");
    await silent.firstConnection;
    while (silent.receivedBytes < 5) await Bun.sleep(1);
    expect(silent.accepted).toBe(1);
    expect(client.receivedBytes).toBe(0);
  });

  test("the refusing port refuses", async () => {
    await using dead = await refusingPort();
    await expect(rawClient(dead.url)).rejects.toThrow();
    await expect(fetch(dead.url)).rejects.toThrow();
  });
});
