import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { type PullProgress, readPullReceipt } from "../../../src/providers/local/pull/index.ts";
import { modelBytes, PullSetup, path, reference, sha256Of, title } from "./pull-setup.ts";

const bytes = modelBytes(300_000);
let setup: PullSetup;
beforeEach(async () => {
  setup = await PullSetup.start();
  setup.hub.addRepo(title, { "README.md": new Uint8Array(3), [path]: bytes }, { license: "apache-2.0" });
});
afterEach(() => setup.stop());

describe("from the hub", () => {
  test("brings the model, its checksum, commit and licence, and leaves nothing else behind", async () => {
    const model = await setup.pulled();
    expect(model).toEqual({
      path: setup.inside("tiny-q4_k_m.gguf"),
      name: "tiny-q4_k_m",
      sizeBytes: bytes.length,
      sha256: sha256Of(bytes),
      source: `hf:${title}/${path}`,
      commit: setup.hub.commit,
      license: "apache-2.0",
      files: [{ fileName: "tiny-q4_k_m.gguf", sizeBytes: bytes.length, sha256: sha256Of(bytes) }],
      alreadyThere: false,
    });
    expect(sha256Of(await readFile(model.path))).toBe(sha256Of(bytes));
    expect((await readdir(setup.directory)).sort()).toEqual(["tiny-q4_k_m.gguf", "tiny-q4_k_m.json"]);
    expect((await stat(model.path)).mode & 0o777).toBe(0o600);
    expect((await stat(setup.directory)).mode & 0o777).toBe(0o700);
    expect(await readPullReceipt(setup.directory, model.name)).toMatchObject({
      source: model.source,
      files: model.files,
    });
  });

  test("all spellings of a reference bring the same file", async () => {
    const sameFile = [
      `${title}:q4_k_m`,
      `${reference}/${path}@main`,
      `${setup.hub.hubUrl}/${title}/blob/main/${path}`,
    ];
    for (const [index, text] of sameFile.entries()) {
      expect(await setup.pulled(text)).toMatchObject({ sha256: sha256Of(bytes), alreadyThere: index > 0 });
    }
    expect(setup.hub.requestsOf("content").length).toBe(1);
  });

  test("takes every file from the commit that the branch stood for", async () => {
    await setup.pulled();
    expect(setup.hub.requestsOf("resolve")[0]?.url).toBe(`/${title}/resolve/${setup.hub.commit}/${path}`);
  });

  test("works with a hub that has no metadata", async () => {
    setup.hub.fail("info", { kind: "status", status: 404 });
    const model = await setup.pulled();
    expect(model.license).toBeUndefined();
    expect(setup.hub.requestsOf("resolve")[0]?.url).toBe(`/${title}/resolve/main/${path}`);
  });

  test("reads a listing of several pages", async () => {
    setup.hub.addRepo(title, { "a.txt": bytes, "b.txt": bytes, [path]: bytes });
    setup.hub.pageSize = 1;
    await setup.pulled();
    expect(setup.hub.requestsOf("tree").length).toBe(3);
  });

  test("brings all parts of a split model, counts them together, and continues at the missing one", async () => {
    const parts = [modelBytes(1000, 1), modelBytes(2000, 2), modelBytes(3000, 3)];
    const names = parts.map((_, index) => `Q8_0/Big-Q8_0-0000${index + 1}-of-00003.gguf`);
    setup.hub.addRepo(title, Object.fromEntries(parts.map((part, index) => [names[index] ?? "", part])));
    setup.hub.fail("content", { kind: "slow", pieceBytes: 500 }, { kind: "status", status: 404 });
    expect((await setup.refused()).kind).toBe("not_found");

    const seen: PullProgress[] = [];
    const model = await setup.pulled(reference, { onProgress: (progress) => seen.push(progress) });
    expect(model).toMatchObject({ name: "big-q8_0", sizeBytes: 6000, alreadyThere: false });
    expect(model.path).toBe(setup.inside("big-q8_0-00001-of-00003.gguf"));
    expect(model.files.map((file) => file.sha256)).toEqual(parts.map(sha256Of));
    expect(setup.hub.requestsOf("content").length).toBe(4);
    expect(seen.at(-1)).toMatchObject({ phase: "done", receivedBytes: 6000, totalBytes: 6000 });
    expect((await setup.pulled()).alreadyThere).toBe(true);
    expect((await setup.refused(reference, { sha256: "a".repeat(64) })).message).toContain("3 files");
  });
});

describe("what is there already", () => {
  test("is recognised by its receipt, and without one by its content", async () => {
    await setup.pulled();
    await Bun.file(setup.inside("tiny-q4_k_m.json")).delete();
    expect((await setup.pulled()).alreadyThere).toBe(true);
    expect((await setup.pulled()).alreadyThere).toBe(true);
    expect(setup.hub.requestsOf("content").length).toBe(1);
  });

  test("is fetched again by force, and when the hub has something newer", async () => {
    await setup.pulled();
    expect((await setup.pulled(reference, { force: true })).alreadyThere).toBe(false);
    const newer = modelBytes(300_000, 9);
    setup.hub.replaceFile(title, path, newer);
    expect(await setup.pulled()).toMatchObject({ alreadyThere: false, sha256: sha256Of(newer) });
  });

  test("is not overwritten by another model of the same name, save by force or under another name", async () => {
    await setup.pulled();
    const other = modelBytes(5000, 7);
    setup.hub.addRepo("Other/Tiny-GGUF", { [path]: other });
    const error = await setup.refused("hf:Other/Tiny-GGUF");
    expect(error.kind).toBe("name_taken");
    expect(error.message).toContain(`hf:${title}/${path}`);
    expect((await setup.pulled("hf:Other/Tiny-GGUF", { name: "tiny-other" })).name).toBe("tiny-other");
    expect((await setup.pulled("hf:Other/Tiny-GGUF", { force: true })).sha256).toBe(sha256Of(other));
  });
});

describe("from an address", () => {
  test("brings the file, and records the address without its query", async () => {
    const model = await setup.pulled(setup.hub.contentUrl(title, path));
    expect(model).toMatchObject({ name: "tiny-q4_k_m", sha256: sha256Of(bytes) });
    expect(model.source).toBe(`${setup.hub.cdnUrl}/content/${title}/${path}`);
    const receipt = await readFile(setup.inside("tiny-q4_k_m.json"), "utf8");
    expect(receipt).not.toContain("Signature");
    expect((await setup.pulled(setup.hub.contentUrl(title, path))).alreadyThere).toBe(true);
  });

  test("brings all parts of a split model", async () => {
    const parts = {
      "m-00001-of-00002.gguf": modelBytes(1000, 1),
      "m-00002-of-00002.gguf": modelBytes(1500, 2),
    };
    setup.hub.addRepo(title, parts);
    const model = await setup.pulled(setup.hub.contentUrl(title, "m-00001-of-00002.gguf"));
    expect(model.files.map((file) => file.fileName)).toEqual([
      "m-00001-of-00002.gguf",
      "m-00002-of-00002.gguf",
    ]);
  });

  test("checks the given SHA-256, in any case", async () => {
    const url = setup.hub.contentUrl(title, path);
    await setup.pulled(url, { sha256: sha256Of(bytes).toUpperCase() });
    const error = await setup.refused(url, { sha256: "ab".repeat(32), name: "other" });
    expect(error.kind).toBe("checksum");
    expect(await readdir(setup.directory)).not.toContain("other.gguf.partial");
  });
});

describe("from a file", () => {
  test("copies it, by path or file: address, and leaves the original alone", async () => {
    const source = setup.outside("My Model.Q8_0.gguf");
    await writeFile(source, bytes, { mode: 0o644 });
    const model = await setup.pulled(source);
    expect(model).toMatchObject({ name: "my-model-q8_0", sha256: sha256Of(bytes), sizeBytes: bytes.length });
    expect((await stat(model.path)).ino).not.toBe((await stat(source)).ino);
    expect((await stat(source)).mode & 0o777).toBe(0o644);
    expect((await stat(model.path)).mode & 0o777).toBe(0o600);
    expect((await setup.pulled(pathToFileURL(source).href)).alreadyThere).toBe(true);
    await writeFile(source, modelBytes(100));
    expect((await setup.pulled(source)).sizeBytes).toBe(100);
  });

  test("links it when asked to", async () => {
    const source = setup.outside("a.gguf");
    await writeFile(source, bytes, { mode: 0o640 });
    const model = await setup.pulled(source, { hardLink: true });
    expect((await stat(model.path)).ino).toBe((await stat(source)).ino);
    expect((await stat(source)).mode & 0o777).toBe(0o640);
  });

  test("adopts a file that somebody put into the models directory", async () => {
    await mkdir(setup.directory);
    await writeFile(setup.inside("own.gguf"), bytes);
    expect(await setup.pulled(setup.inside("own.gguf"))).toMatchObject({
      name: "own",
      sha256: sha256Of(bytes),
    });
    expect((await setup.pulled(setup.inside("own.gguf"))).alreadyThere).toBe(true);
  });

  test("refuses what is missing, a directory, empty, or no model, and leaves nothing behind", async () => {
    await writeFile(setup.outside("empty.gguf"), "");
    await writeFile(setup.outside("page.gguf"), "<html>");
    await writeFile(setup.outside("short.gguf"), "GGU");
    await mkdir(setup.outside("dir.gguf"));
    await symlink("/dev/zero", setup.outside("device.gguf"));
    expect((await setup.refused(setup.outside("missing.gguf"))).kind).toBe("not_found");
    for (const name of ["empty", "page", "short", "dir", "device"]) {
      expect((await setup.refused(setup.outside(`${name}.gguf`))).kind).toBe("not_gguf");
    }
    await writeFile(setup.outside("good.gguf"), bytes);
    expect((await setup.refused(setup.outside("good.gguf"), { sha256: "0".repeat(64) })).kind).toBe(
      "checksum",
    );
    expect(await readdir(setup.directory)).toEqual([]);
  });

  test("brings all parts of a split model, and names a missing one", async () => {
    await writeFile(setup.outside("m-00001-of-00002.gguf"), modelBytes(10));
    expect((await setup.refused(setup.outside("m-00001-of-00002.gguf"))).message).toContain(
      "m-00002-of-00002.gguf",
    );
    await writeFile(setup.outside("m-00002-of-00002.gguf"), modelBytes(20));
    expect((await setup.pulled(setup.outside("m-00001-of-00002.gguf"))).sizeBytes).toBe(30);
  });
});

test("progress goes from looking up through downloading and verifying to done, and never backwards", async () => {
  const seen: PullProgress[] = [];
  setup.hub.fail("content", { kind: "slow", pieceBytes: 10_000 });
  await setup.pulled(reference, { onProgress: (progress) => seen.push(progress) });
  const phases = seen.map((progress) => progress.phase);
  expect([...new Set(phases)]).toEqual(["resolve", "download", "verify", "done"]);
  expect(seen.some((progress) => progress.phase === "download" && progress.receivedBytes > 0)).toBe(true);
  const received = seen.map((progress) => progress.receivedBytes);
  expect(received).toEqual(received.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toMatchObject({ receivedBytes: bytes.length, totalBytes: bytes.length });
});

test("an address tells its total as soon as the answer does", async () => {
  const seen: PullProgress[] = [];
  await setup.pulled(setup.hub.contentUrl(title, path), {
    onProgress: (progress) => seen.push(progress),
  });
  expect(seen[0]).toMatchObject({ phase: "resolve", totalBytes: null });
  expect(seen.at(-2)).toMatchObject({ phase: "verify", totalBytes: bytes.length });
});
