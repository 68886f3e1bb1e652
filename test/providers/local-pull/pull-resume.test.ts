import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import type { Fetch } from "../../../src/providers/local/pull/index.ts";
import type { HubFault } from "../../support/imitation-hub.ts";
import { modelBytes, PullSetup, path, reference, sha256Of, title } from "./pull-setup.ts";

const bytes = modelBytes(400_000);
const partialName = "tiny-q4_k_m.gguf.partial";
let setup: PullSetup;
beforeEach(async () => {
  setup = await PullSetup.start();
  setup.hub.addRepo(title, { [path]: bytes });
});
afterEach(() => setup.stop());

/** The ranges asked for, in order. */
const asked = () => setup.hub.requestsOf("content").map((request) => request.headers.range ?? "everything");

describe("within one pull", () => {
  test("broken connections are taken up again where they broke, with progress resetting the count", async () => {
    const resets = [1, 2, 3, 4, 5].map((count): HubFault => {
      return { kind: "reset", afterBytes: 70_000, when: () => setup.receivedBytes >= count * 70_000 };
    });
    setup.hub.fail("content", ...resets);
    expect((await setup.pulled(reference, { maxRetries: 1 })).sha256).toBe(sha256Of(bytes));
    const [first, ...later] = setup.hub.requestsOf("content");
    expect(first?.headers.range).toBeUndefined();
    expect(later.length).toBe(5);
    for (const request of later) {
      expect(request.headers.range).toMatch(/^bytes=\d+-$/);
      expect(request.headers["if-range"]).toBe(`"${sha256Of(bytes).slice(0, 32)}"`);
    }
  });

  test("a server that never gets further is given up, with growing pauses, and the partial file kept", async () => {
    setup.hub.fail("content", {
      kind: "reset",
      afterBytes: 70_000,
      when: () => setup.receivedBytes >= 70_000,
    });
    setup.hub.fail(
      "content",
      ...Array.from({ length: 20 }, (): HubFault => ({ kind: "reset", afterBytes: 0 })),
    );
    const error = await setup.refused(reference, { maxRetries: 6 });
    expect(error.kind).toBe("unreachable");
    expect(error.message).toContain("Gave up after 7 attempts");
    expect(setup.pausesMs.slice(-5)).toEqual([1000, 2000, 4000, 8000, 15_000]);
    expect(await readdir(setup.directory)).toContain(partialName);
  });

  test("a stalled server is left and asked again", async () => {
    setup.hub.fail("content", { kind: "stall", afterBytes: 100_000 }, { kind: "stall", afterBytes: 0 });
    const model = await setup.pulled(reference, { idleTimeoutMs: 200, maxRetries: 100 });
    expect(model.sha256).toBe(sha256Of(bytes));
    expect(asked().length).toBeGreaterThan(2);
  });

  test("a truncated answer is continued", async () => {
    setup.hub.fail("content", { kind: "truncate", afterBytes: 150_000 });
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything", "bytes=150000-"]);
  });

  test("a server that ignores ranges starts the file over", async () => {
    setup.hub.fail("content", { kind: "truncate", afterBytes: 150_000 }, { kind: "ignore-range" });
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
    expect(asked().length).toBe(2);
  });

  test("a file that can only be started over, and always breaks at the same place, is given up", async () => {
    setup.hub.misdescribe(title, path, { etag: null });
    const when = () => setup.receivedBytes >= 50_000;
    setup.hub.fail(
      "content",
      ...Array.from({ length: 40 }, (): HubFault => ({ kind: "reset", afterBytes: 50_000, when })),
    );
    const error = await setup.refused(setup.hub.contentUrl(title, path), { maxRetries: 3 });
    expect(error.kind).toBe("unreachable");
    expect(asked().length).toBeLessThan(8);
    expect(asked().every((range) => range === "everything")).toBe(true);
  });

  test("content that changes between attempts is started over", async () => {
    for (const text of [setup.hub.contentUrl(title, path), reference]) {
      const newer = modelBytes(350_000, text.length);
      const when = () => {
        if (setup.receivedBytes < 100_000) return false;
        setup.hub.replaceFile(title, path, newer);
        return true;
      };
      setup.receivedBytes = 0;
      setup.hub.fail("content", { kind: "reset", afterBytes: 100_000, when });
      expect((await setup.pulled(text, { name: `m${text.length}` })).sha256).toBe(sha256Of(newer));
      expect(asked().at(-1)).toBe("bytes=100000-");
    }
  });

  test("a chunked answer without a length is taken to its end", async () => {
    setup.hub.fail("content", { kind: "no-length" });
    const model = await setup.pulled(setup.hub.contentUrl(title, path));
    expect(model.sha256).toBe(sha256Of(bytes));
  });

  test("a slow server is waited for as long as something comes", async () => {
    setup.hub.fail("content", { kind: "slow", pieceBytes: 4000 });
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
  });
});

describe("between two pulls", () => {
  test("a cancelled pull leaves a partial file that the next one continues", async () => {
    await setup.interrupt(200_000);
    expect((await readFile(setup.inside(partialName))).length).toBe(200_000);
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything", "bytes=200000-"]);
    expect((await readdir(setup.directory)).sort()).toEqual(["tiny-q4_k_m.gguf", "tiny-q4_k_m.json"]);
  });

  test("a pull cancelled before it began asks for nothing", async () => {
    expect((await setup.refused(reference, { signal: AbortSignal.abort() })).kind).toBe("cancelled");
    expect(setup.hub.requests).toEqual([]);
  });

  test("a cancelled pause ends at once", async () => {
    const controller = new AbortController();
    setup.hub.fail("tree", { kind: "status", status: 503 });
    const sleep = async () => controller.abort();
    expect((await setup.refused(reference, { sleep, signal: controller.signal })).kind).toBe("cancelled");
    expect(setup.hub.requestsOf("tree").length).toBe(1);
  });

  test("another file at the hub makes the partial one worthless", async () => {
    await setup.interrupt(200_000);
    const newer = modelBytes(400_000, 3);
    setup.hub.replaceFile(title, path, newer);
    expect((await setup.pulled()).sha256).toBe(sha256Of(newer));
    expect(asked()).toEqual(["everything", "everything"]);
  });

  test("an address whose ETag changed is started over", async () => {
    const url = setup.hub.contentUrl(title, path);
    await setup.interrupt(200_000, url);
    const newer = modelBytes(400_000, 3);
    setup.hub.replaceFile(title, path, newer);
    expect((await setup.pulled(url)).sha256).toBe(sha256Of(newer));
    expect(asked()).toEqual(["everything", "bytes=200000-"]);
  });

  test("an address without ETag is started over", async () => {
    setup.hub.misdescribe(title, path, { etag: null });
    const url = setup.hub.contentUrl(title, path);
    await setup.interrupt(200_000, url);
    expect((await setup.pulled(url)).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything", "everything"]);
  });

  test("a weak ETag is compared, but not sent as a condition", async () => {
    setup.hub.misdescribe(title, path, { etag: 'W/"weak"' });
    const url = setup.hub.contentUrl(title, path);
    await setup.interrupt(200_000, url);
    expect((await setup.pulled(url)).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything", "bytes=200000-"]);
    expect(setup.hub.requestsOf("content")[1]?.headers["if-range"]).toBeUndefined();
  });

  test("the same content under another ETag is continued, as the hub's checksum says so", async () => {
    setup.hub.misdescribe(title, path, { etag: 'W/"one edge"' });
    await setup.interrupt(200_000);
    setup.hub.misdescribe(title, path, { etag: 'W/"another edge"' });
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything", "bytes=200000-"]);
  });

  test("a server that continues another version is noticed", async () => {
    setup.hub.misdescribe(title, path, { etag: 'W/"one"' });
    const url = setup.hub.contentUrl(title, path);
    await setup.interrupt(200_000, url);
    setup.hub.misdescribe(title, path, { etag: 'W/"two"' });
    expect((await setup.pulled(url)).sha256).toBe(sha256Of(bytes));
    expect(asked().at(-1)).toBe("everything");
  });

  test("a part that begins elsewhere than asked is not appended", async () => {
    const url = setup.hub.contentUrl(title, path);
    await setup.interrupt(200_000, url);
    const shifted: Fetch = async (address, init) => {
      const response = await fetch(address, init);
      if (response.status !== 206) return response;
      const headers = new Headers(response.headers);
      headers.set("content-range", "bytes 100000-399999/400000");
      return new Response(response.body, { status: 206, headers });
    };
    expect((await setup.pulled(url, { fetch: shifted })).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything", "bytes=200000-", "everything"]);
  });

  test("a damaged partial file is found by its checksum and deleted; the next pull is clean", async () => {
    await setup.interrupt(200_000);
    await writeFile(setup.inside(partialName), modelBytes(200_000, 99));
    const error = await setup.refused();
    expect(error.kind).toBe("checksum");
    expect(await readdir(setup.directory)).toEqual([]);
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
  });

  test("a partial file of unknown origin, or too long, is not built on", async () => {
    await mkdir(setup.directory);
    await writeFile(setup.inside(partialName), bytes.subarray(0, 1000));
    await writeFile(setup.inside(`${partialName}.json`), "{ not json");
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything"]);

    await setup.interrupt(200_000, reference, { name: "tiny-q4_k_m", force: true });
    await writeFile(setup.inside(partialName), modelBytes(500_000));
    expect((await setup.pulled(reference, { force: true })).sha256).toBe(sha256Of(bytes));
  });

  test("a complete partial file only needs its name", async () => {
    await setup.interrupt(200_000);
    await writeFile(setup.inside(partialName), bytes);
    expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
    expect(asked()).toEqual(["everything"]);
  });
});
