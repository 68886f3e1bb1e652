import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import type { PullErrorKind, PullOptions } from "../../../src/providers/local/pull/index.ts";
import { openUrl } from "../../../src/providers/local/pull/open-url.ts";
import type { HubFault, HubStage } from "../../support/imitation-hub.ts";
import { modelBytes, PullSetup, path, reference, sha256Of, title } from "./pull-setup.ts";

const bytes = modelBytes(100_000);
const token = "hf_verySecretToken";
let setup: PullSetup;
beforeEach(async () => {
  setup = await PullSetup.start();
  setup.hub.addRepo(title, { [path]: bytes });
});
afterEach(() => setup.stop());

const status = (code: number, headers: Record<string, string> = {}): HubFault => ({
  kind: "status",
  status: code,
  headers,
});

describe("answers that end a pull", () => {
  const cases: [what: string, stage: HubStage, fault: HubFault, kind: PullErrorKind, part: string][] = [
    ["403 on the listing", "tree", status(403), "gated", "permission"],
    ["404 on the listing", "tree", status(404), "not_found", "does not exist"],
    ["410 on the content", "content", status(410), "not_found", "does not exist"],
    ["400 on the content", "content", status(400), "bad_answer", "400"],
    ["a web page as listing", "tree", { kind: "html" }, "bad_answer", "web page"],
    [
      "a listing that is no list",
      "tree",
      { kind: "body", body: "{}", contentType: "application/json" },
      "bad_answer",
      "not a list",
    ],
    ["a web page as model", "content", { kind: "html" }, "not_gguf", "web page"],
    [
      "JSON as model",
      "content",
      { kind: "body", body: '{"error":1}', contentType: "application/json" },
      "not_gguf",
      "GGUF",
    ],
    [
      "an LFS pointer as model",
      "resolve",
      { kind: "body", body: "version https://git-lfs.github.com/spec/v1\n", contentType: "text/plain" },
      "not_gguf",
      "pointer",
    ],
    ["429 with a long wait", "tree", status(429, { "retry-after": "3600" }), "rate_limited", "60 minutes"],
    [
      "a redirect to another protocol",
      "resolve",
      { kind: "redirect", location: "ftp://cdn.example/m" },
      "redirect_refused",
      "neither",
    ],
    [
      "a redirect to plain http elsewhere",
      "resolve",
      { kind: "redirect", location: "http://cdn.example/m" },
      "redirect_refused",
      "not https",
    ],
    [
      "a redirect to nothing",
      "resolve",
      { kind: "redirect", location: "http://" },
      "redirect_refused",
      "not an address",
    ],
  ];
  for (const [what, stage, fault, kind, part] of cases) {
    test(what, async () => {
      setup.hub.fail(stage, fault);
      const error = await setup.refused();
      expect(error.kind).toBe(kind);
      expect(error.message).toContain(part);
      expect(error.message).not.toContain("body of an error");
      const left = await readdir(setup.directory).catch(() => []);
      if (kind === "not_gguf") expect(left).toEqual([]);
    });
  }

  test("a checksum that the content does not have", async () => {
    setup.hub.misdescribe(title, path, { announcedSha256: "0".repeat(64) });
    const error = await setup.refused();
    expect(error.kind).toBe("checksum");
    expect(error.message).toContain(sha256Of(bytes));
    expect(await readdir(setup.directory)).toEqual([]);
  });

  test("a redirect that goes round in circles", async () => {
    const circle: HubFault = { kind: "redirect", location: `/${title}/resolve/main/x` };
    setup.hub.fail("resolve", ...Array.from({ length: 9 }, () => circle));
    expect((await setup.refused()).kind).toBe("redirect_refused");
    expect(setup.hub.requestsOf("resolve").length).toBe(6);
  });
});

describe("answers worth another attempt", () => {
  for (const code of [408, 429, 500, 502, 503, 504]) {
    test(`${code}, on the listing, the redirect and the content`, async () => {
      for (const stage of ["tree", "resolve", "content"] as const) setup.hub.fail(stage, status(code));
      expect((await setup.pulled()).sha256).toBe(sha256Of(bytes));
      expect(setup.pausesMs).toEqual([500, 500, 1000]);
    });
  }

  test("waits as long as the server asks, in either of its spellings", async () => {
    setup.hub.fail("tree", status(429, { "retry-after": "7" }), status(503, { ratelimit: '"api";r=0;t=9' }));
    await setup.pulled();
    expect(setup.pausesMs).toEqual([7000, 9000]);
  });

  test("is given up with the server's last word", async () => {
    setup.hub.fail("tree", ...Array.from({ length: 4 }, () => status(503)));
    const error = await setup.refused(reference, { maxRetries: 3 });
    expect(error.kind).toBe("unreachable");
    expect(error.message).toContain("503");
    expect(error.message).toContain("4 attempts");
  });

  test("a server that nobody reaches", async () => {
    const fetch = async () => {
      throw new TypeError(`cannot connect to https://cdn.example/?sig=${token}`);
    };
    const error = await setup.refused(reference, { fetch, maxRetries: 2 });
    expect(error.kind).toBe("unreachable");
    expect(error.message).not.toContain(token);
    expect(setup.pausesMs).toEqual([500, 1000]);
  });
});

describe("what the hub does not have", () => {
  test("says which part is wrong", async () => {
    const nowhere = await setup.refused("hf:No/Where");
    expect(nowhere.kind).toBe("not_found");
    expect(nowhere.message).toContain("No/Where does not exist; a private one needs");
    expect((await setup.refused(`${reference}@nope`)).message).toContain("no such revision");
    expect((await setup.refused(`${reference}/nope.gguf`)).message).toContain("no file nope.gguf");
    const error = await setup.refused(`${reference}:Q9_9`);
    expect(error).toEqual({ kind: "not_found", message: `${title} has no Q9_9. It has: Q4_K_M.` });
  });
});

describe("the token", () => {
  beforeEach(() => setup.hub.addRepo(title, { [path]: bytes }, { gatedBy: token }));

  test("opens a gated repository, and goes to the hub only", async () => {
    expect((await setup.pulled(reference, { token })).sha256).toBe(sha256Of(bytes));
    for (const request of setup.hub.requests) {
      expect(request.headers.authorization).toBe(request.stage === "content" ? undefined : `Bearer ${token}`);
    }
  });

  test("does not go to an address outside the hub", async () => {
    await setup.pulled(setup.hub.contentUrl(title, path), { token });
    expect(setup.hub.requests.map((request) => request.headers.authorization)).toEqual([undefined]);
  });

  test("is asked for when missing, refused when wrong, and never shown", async () => {
    const missing = await setup.refused();
    expect(missing.kind).toBe("gated");
    expect(missing.message).toContain("access token");
    const wrong = await setup.refused(reference, { token: "hf_other" });
    expect(wrong.kind).toBe("gated");
    expect(wrong.message).toContain("refuses this token");
    expect(wrong.message).not.toContain("hf_other");
    const broken = await setup.refused(reference, { token: `${token}\nx` });
    expect(broken.kind).toBe("bad_reference");
    expect(broken.message).not.toContain(token);
  });

  test("no message or file shows the signature of the address that the hub redirects to", async () => {
    setup.hub.fail("content", status(400));
    const error = await setup.refused(reference, { token });
    expect(error.message).not.toContain("Signature");
    setup.hub.fail("resolve", {
      kind: "redirect",
      location: "http://u:pw@cdn.example/m?X-Signature=do-not-log-me",
    });
    const redirected = await setup.refused(reference, { token });
    expect(redirected.message).toMatch(/http:\/\/cdn\.example\/m,/);
    expect(redirected.message).not.toContain("do-not-log-me");
  });
});

describe("redirects", () => {
  const network = (answers: Record<string, string>, seen: string[]) => ({
    fetch: async (url: string) => {
      seen.push(url);
      const location = answers[url];
      return location === undefined
        ? new Response("ok")
        : new Response(null, { status: 302, headers: { location } });
    },
    sleep: async () => {},
    now: () => 0,
    signal: undefined,
    idleTimeoutMs: 10_000,
    maxRetries: 0,
    allowInsecure: true,
    hubUrl: "https://hub.example",
    token: undefined,
  });

  test("go from https down to http only on this machine, even where http is allowed", async () => {
    const down = network({ "https://a.example/": "http://b.example/" }, []);
    expect(openUrl(down, "https://a.example/", {})).rejects.toThrow("from https down to http");
    const seen: string[] = [];
    const here = network({ "https://a.example/": "http://127.0.0.1/" }, seen);
    (await openUrl(here, "https://a.example/", {})).close();
    expect(seen).toEqual(["https://a.example/", "http://127.0.0.1/"]);
  });

  test("what a file is, only the hub's own origin is believed about", async () => {
    const headers = { "x-linked-etag": `"${"a".repeat(64)}"`, "x-linked-size": "7" };
    const telling = { ...network({}, []), fetch: async () => new Response("ok", { headers }) };
    const hub = await openUrl(telling, "https://hub.example/", {});
    expect(hub).toMatchObject({ linkedSha256: "a".repeat(64), linkedSizeBytes: 7 });
    hub.close();
    const other = await openUrl(telling, "https://cdn.example/", {});
    expect(other).toMatchObject({ linkedSha256: undefined, linkedSizeBytes: undefined });
    other.close();
  });

  test("are followed five times and no further", async () => {
    const chain = Object.fromEntries(
      Array.from({ length: 9 }, (_, at) => [`https://a.example/${at}`, `/${at + 1}`]),
    );
    const seen: string[] = [];
    expect(openUrl(network(chain, seen), "https://a.example/0", {})).rejects.toThrow("more than 5 times");
    (await openUrl(network(chain, []), "https://a.example/4", {})).close();
    expect(seen.length).toBe(6);
  });
});

describe("options and room", () => {
  const bad: [what: string, options: Partial<PullOptions>][] = [
    ["a hub over http elsewhere", { hubUrl: "http://hub.example" }],
    ["a hub with credentials", { hubUrl: "https://u:p@hub.example" }],
    ["a hub that is no address", { hubUrl: "hub" }],
    ["a short checksum", { sha256: "abc" }],
    ["a name that is a path", { name: "../x" }],
  ];
  for (const [what, options] of bad) {
    test(`refuses ${what}`, async () => {
      expect((await setup.refused(reference, options)).kind).toBe("bad_reference");
      expect(setup.hub.requests).toEqual([]);
    });
  }

  test("refuses a text that is no reference", async () => {
    expect((await setup.refused("llama3")).kind).toBe("bad_reference");
  });

  test("refuses before the first byte what the disk cannot take, and says how much is missing", async () => {
    const error = await setup.refused(reference, {
      freeBytes: async () => 256 * 1024 * 1024 + bytes.length - 1,
    });
    expect(error).toMatchObject({ kind: "disk_full" });
    expect(error.message).toMatch(/needs 100\.0 kB more.*has 268\.5 MB free \(268\.4 MB are kept/);
    expect(setup.hub.requestsOf("resolve")).toEqual([]);
  });

  test("for an address, as soon as its size is known; what is already there counts", async () => {
    const url = setup.hub.contentUrl(title, path);
    const reserved = 256 * 1024 * 1024;
    expect((await setup.refused(url, { freeBytes: async () => reserved + 99_999 })).kind).toBe("disk_full");
    await setup.interrupt(60_000);
    expect((await setup.refused(reference, { freeBytes: async () => reserved + 39_999 })).kind).toBe(
      "disk_full",
    );
    await setup.pulled(reference, { freeBytes: async () => reserved + 40_000 });
  });

  test("a directory that cannot be written to is an error a person can act on", async () => {
    const error = await setup.refused(reference, { directory: "/dev/null/models" });
    expect(error.kind).toBe("disk_error");
    expect(error.message).toContain("/dev/null/models");
  });
});
