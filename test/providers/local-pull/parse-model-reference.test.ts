import { describe, expect, test } from "bun:test";
import { DEFAULT_HUB_URL } from "../../../src/providers/local/pull/hub-address.ts";
import { type ParsedReference, parseModelReference } from "../../../src/providers/local/pull/index.ts";

const hub = (
  fields: Omit<Extract<ParsedReference, { kind: "hub" }>, "kind" | "owner" | "repo">,
): ParsedReference => ({
  kind: "hub",
  owner: "Owner",
  repo: "Some-Repo.GGUF",
  ...fields,
});
const page = `${DEFAULT_HUB_URL}/Owner/Some-Repo.GGUF`;
const hubHost = new URL(DEFAULT_HUB_URL).host;

const accepted: [text: string, expected: ParsedReference][] = [
  ["hf:Owner/Some-Repo.GGUF", hub({})],
  ["  hf:Owner/Some-Repo.GGUF\n", hub({})],
  ["HF:Owner/Some-Repo.GGUF", hub({})],
  ["hf://Owner/Some-Repo.GGUF", hub({})],
  ["hf:Owner/Some-Repo.GGUF:Q4_K_M", hub({ quant: "Q4_K_M" })],
  ["hf:Owner/Some-Repo.GGUF:q4_k_m", hub({ quant: "q4_k_m" })],
  ["hf:Owner/Some-Repo.GGUF:latest", hub({})],
  ["hf:Owner/Some-Repo.GGUF@v1.0", hub({ revision: "v1.0" })],
  ["hf:Owner/Some-Repo.GGUF:Q8_0@refs/pr/7", hub({ quant: "Q8_0", revision: "refs/pr/7" })],
  ["hf:Owner/Some-Repo.GGUF@main:Q8_0", hub({ quant: "Q8_0", revision: "main" })],
  ["hf:Owner/Some-Repo.GGUF/a/b.gguf", hub({ file: "a/b.gguf" })],
  ["hf:Owner/Some-Repo.GGUF/B.GGUF@abc123", hub({ file: "B.GGUF", revision: "abc123" })],
  ["hf:Owner/Some-Repo.GGUF/with space.gguf", hub({ file: "with space.gguf" })],
  ["Owner/Some-Repo.GGUF:Q4_0", hub({ quant: "Q4_0" })],
  ["Owner/plain", { kind: "hub", owner: "Owner", repo: "plain" }],
  ["hf.co/Owner/Some-Repo.GGUF:Q4_0", hub({ quant: "Q4_0" })],
  [`${hubHost}/Owner/Some-Repo.GGUF`, hub({})],
  ["https://hf.co/Owner/Some-Repo.GGUF:Q4_0", hub({ quant: "Q4_0" })],
  ["https://hf.co/Owner/Some-Repo.GGUF@v2", hub({ revision: "v2" })],
  [page, hub({})],
  [`${page}/`, hub({})],
  [`${page}?show_file_info=x.gguf#files`, hub({})],
  [`${page}/tree/main`, hub({ revision: "main" })],
  [`${page}/tree/main/UD-Q4_K_XL`, hub({ revision: "main", folder: "UD-Q4_K_XL" })],
  [`${page}/tree/refs%2Fpr%2F7`, hub({ revision: "refs/pr/7" })],
  [`${page}/blob/main/a/b.gguf`, hub({ revision: "main", file: "a/b.gguf" })],
  [`${page}/resolve/main/b.gguf?download=true`, hub({ revision: "main", file: "b.gguf" })],
  [`${page}/resolve/refs/pr/7/b.gguf`, hub({ revision: "refs/pr/7", file: "b.gguf" })],
  [`${page}/raw/main/with%20space.gguf`, hub({ revision: "main", file: "with space.gguf" })],
  ["https://models.example/x/m.gguf", { kind: "url", url: "https://models.example/x/m.gguf" }],
  ["HTTPS://Models.Example/m.GGUF?sig=1#top", { kind: "url", url: "https://models.example/m.GGUF?sig=1" }],
  ["http://127.0.0.1:9/m.gguf", { kind: "url", url: "http://127.0.0.1:9/m.gguf" }],
  ["http://[::1]:9/m.gguf", { kind: "url", url: "http://[::1]:9/m.gguf" }],
  ["http://localhost/m.gguf", { kind: "url", url: "http://localhost/m.gguf" }],
  ["/models/a.gguf", { kind: "file", path: "/models/a.gguf" }],
  ["/models/sha256-abc", { kind: "file", path: "/models/sha256-abc" }],
  ["./a", { kind: "file", path: "./a" }],
  ["../a.gguf", { kind: "file", path: "../a.gguf" }],
  ["~/a.gguf", { kind: "file", path: "~/a.gguf" }],
  ["C:\\models\\a.gguf", { kind: "file", path: "C:\\models\\a.gguf" }],
  ["a.gguf", { kind: "file", path: "a.gguf" }],
  ["models/sub/a.gguf", { kind: "file", path: "models/sub/a.gguf" }],
  ["file:///models/with%20space.gguf", { kind: "file", path: "/models/with space.gguf" }],
  ["file://localhost/a.gguf", { kind: "file", path: "/a.gguf" }],
];

const refused: [text: string, part: string][] = [
  ["", "empty"],
  ["   ", "empty"],
  ["llama3", "not a model reference"],
  ["llama3:8b", "not a model reference"],
  ["a\u0000/b", "control"],
  ["a/b\nc", "control"],
  ["x".repeat(3000), "too long"],
  ["hf:Owner", "owner/repo"],
  ["hf:/Repo", "owner/repo"],
  ["hf:Owner/", "owner/repo"],
  ["hf:../Repo", "owner/repo"],
  ["hf:Owner/..", "owner/repo"],
  ["hf:Owner/-repo", "owner/repo"],
  ["hf:Owner/repo.", "owner/repo"],
  ["hf:Ow--ner/repo", "owner/repo"],
  ["hf:Owner/repo.git", "owner/repo"],
  [`hf:Owner/${"r".repeat(97)}`, "owner/repo"],
  ["hf:Ow ner/repo", "owner/repo"],
  ["hf:Owner/repo/../../etc/x.gguf", "path inside"],
  ["hf:Owner/repo/a//b.gguf", "path inside"],
  ["hf:Owner/repo/./b.gguf", "path inside"],
  ["hf:Owner/repo/a\\..\\b.gguf", "path inside"],
  ["hf:Owner/repo/config.json", ".gguf"],
  ["hf:Owner/repo/b.gguf:Q4_0", "not both"],
  ["hf:Owner/repo:", "quantisation"],
  ["hf:Owner/repo:Q4 0", "quantisation"],
  ["hf:Owner/repo:../x", "quantisation"],
  ["hf:Owner/repo@", "revision"],
  ["hf:Owner/repo@a@b", "more than one"],
  ["hf:Owner/repo@../x", "revision"],
  ["hf:Owner/repo@a b", "revision"],
  ["hf:Owner/repo@x?y", "revision"],
  [`${page}/../../other`, ".."],
  [`${page}/resolve/main/%2e%2e/x.gguf`, ".."],
  [`${page}/resolve/main/a%2f..%2fx.gguf`, ".."],
  [`${page}/resolve/main/a%5c..%5cx.gguf`, ".."],
  [`${page}/resolve/main/%ff.gguf`, "percent-encoded"],
  [`${page}/blob/main/README.md`, ".gguf"],
  [`${page}/blob/main`, ".gguf"],
  [`${page}/resolve/ma%00in/x.gguf`, "revision"],
  [`${DEFAULT_HUB_URL}/datasets/o/r`, "datasets"],
  [`${DEFAULT_HUB_URL}/spaces/o/r`, "spaces"],
  [DEFAULT_HUB_URL, "owner/repo"],
  [page.replace("https:", "http:"), "https"],
  ["http://models.example/m.gguf", "https"],
  ["http://127.0.0.1.example/m.gguf", "https"],
  ["https://models.example/m.bin", ".gguf"],
  ["https://models.example/download?file=m.gguf", ".gguf"],
  ["https://user:secret@models.example/m.gguf", "user name or password"],
  ["https://models.example/a/../m.gguf", ".."],
  ["https://", "not a valid URL"],
  ["https:///m.gguf", ".gguf"],
  ["ftp://models.example/m.gguf", "Only http"],
  ["s3://bucket/m.gguf", "Only http"],
  ["file://server/share/m.gguf", "this machine"],
  ["file:///a/../../m.gguf", ".."],
  ["file:///a%2fb.gguf", "valid path"],
  ["file:///a%00.gguf", "control"],
];

describe("parseModelReference", () => {
  for (const [text, expected] of accepted) {
    test(`reads ${JSON.stringify(text)}`, () => expect(parseModelReference(text)).toEqual(expected));
  }

  for (const [text, part] of refused) {
    test(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
      const outcome = parseModelReference(text);
      expect(outcome).toHaveProperty("error");
      if ("error" in outcome) expect(outcome.error).toContain(part);
    });
  }

  test("reads addresses of the hub in use as hub references, and others as before", () => {
    const options = { hubUrl: "https://mirror.example/" };
    expect(parseModelReference("https://mirror.example/Owner/Some-Repo.GGUF:Q4_0", options)).toEqual(
      hub({ quant: "Q4_0" }),
    );
    expect(parseModelReference(page, options)).toEqual(hub({}));
    expect(parseModelReference("https://mirror.example:8443/x.gguf", options)).toHaveProperty("kind", "url");
  });

  test("takes http to other machines only when that is allowed", () => {
    const url = "http://models.example/m.gguf";
    expect(parseModelReference(url, { allowInsecure: true })).toEqual({ kind: "url", url });
  });

  test("repeats no password in its error", () => {
    const outcome = parseModelReference("https://user:secret@models.example/m.gguf");
    expect(JSON.stringify(outcome)).not.toContain("secret");
  });
});
