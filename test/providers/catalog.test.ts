import { beforeEach, describe, expect, test } from "bun:test";
import { GatewayFailure, gatewayError } from "../../src/core/error.ts";
import type { CatalogModel } from "../../src/engine/ports.ts";
import { type DeclaredModel, ModelCatalog } from "../../src/providers/catalog.ts";
import { gate } from "../support/within.ts";
import { fakeProvider } from "./fake-provider.ts";

let nowMs: number;
let catalog: ModelCatalog;
beforeEach(() => {
  nowMs = 0;
  catalog = new ModelCatalog({ now: () => 0, monotonicMs: () => nowMs });
});

function declared(
  name: string,
  targets: readonly string[],
  more: Partial<DeclaredModel> = {},
): DeclaredModel {
  return {
    name,
    aliases: [],
    active: true,
    createdAtMs: 7,
    targets: targets.map((target) => {
      const [provider = "", model = ""] = target.split("/");
      return { provider, model };
    }),
    ...more,
  };
}

const targetsOf = (model: CatalogModel | undefined) =>
  model?.targets.map(({ provider, model: name }) => `${provider.name}/${name}`);
const find = async (name: string) => targetsOf(await catalog.find(name));
const listed = async () =>
  (await catalog.list()).map((model) => `${model.name}: ${targetsOf(model)?.join(", ")}`);

describe("names", () => {
  test("what providers list, in their order; a name that several offer has several targets", async () => {
    catalog.configure([fakeProvider("one", ["b", "a"]), fakeProvider("two", ["c", "a"])], []);
    expect(await listed()).toEqual(["b: one/b", "a: one/a, two/a", "c: two/c"]);
  });

  test("what was declared comes first, and decides for itself who serves it", async () => {
    catalog.configure(
      [fakeProvider("one", ["a", "b"]), fakeProvider("two", ["a"])],
      [declared("a", ["two/x"], { id: 5 })],
    );
    expect(await listed()).toEqual(["a: two/x", "b: one/b"]);
    expect(await catalog.find("a")).toMatchObject({ id: 5, createdAtMs: 7 });
  });

  test("several targets are tried in the order that they were declared in", async () => {
    catalog.configure([fakeProvider("one"), fakeProvider("two")], [declared("a", ["two/x", "one/y"])]);
    expect(await find("a")).toEqual(["two/x", "one/y"]);
  });

  test("provider/model always means that provider's model", async () => {
    catalog.configure([fakeProvider("one", ["a"]), fakeProvider("two", ["a"])], [declared("a", ["one/x"])]);
    await catalog.list();
    expect(await find("two/a")).toEqual(["two/a"]);
    expect(await find("one/a")).toEqual(["one/a"]);
    expect((await catalog.find("two/a"))?.name).toBe("two/a");
  });

  test("provider/model means that provider, also where another one lists that very name", async () => {
    const openai = fakeProvider("openai", ["gpt"]);
    const router = fakeProvider("router", ["openai/gpt"]);
    catalog.configure([router, openai], []);
    await catalog.list();
    expect(await find("openai/gpt")).toEqual(["openai/gpt"]);
    expect(await find("router/openai/gpt")).toEqual(["router/openai/gpt"]);
  });

  test("provider/model is the public model at that provider: its price, its state, its permission", async () => {
    const one = fakeProvider("one", ["x", "off"]);
    catalog.configure(
      [one],
      [declared("house", ["one/x"]), declared("closed", ["one/off"], { active: false })],
    );
    await catalog.list();
    expect((await catalog.find("one/x"))?.name).toBe("house");
    expect((await catalog.find("one/off"))?.unavailable).toBeDefined();
  });

  test("an alias is another name of a model; it holds against what a provider lists under that name", async () => {
    catalog.configure(
      [fakeProvider("one", ["real"])],
      [declared("a", ["one/x"], { aliases: ["b", "real"] })],
    );
    expect(await find("b")).toEqual(["one/x"]);
    expect(catalog.canonical("b")).toBe("a");
    await catalog.list();
    expect(await find("real")).toEqual(["one/x"]);
    expect(await find("one/real")).toEqual(["one/real"]);
  });

  test("`:latest` makes no difference, on either side", async () => {
    catalog.configure(
      [fakeProvider("one", ["llama2:latest", "llama2:7b"])],
      [declared("mine:latest", ["one/x"], { aliases: ["m:latest"] })],
    );
    await catalog.list();
    for (const name of ["llama2", "llama2:latest"]) expect(await find(name)).toEqual(["one/llama2:latest"]);
    expect(await find("llama2:7b")).toEqual(["one/llama2:7b"]);
    for (const name of ["mine", "mine:latest", "m", "m:latest"]) expect(await find(name)).toEqual(["one/x"]);
    expect(["llama2:latest", "m:latest", "unheard:latest"].map((name) => catalog.canonical(name))).toEqual([
      "llama2",
      "mine:latest",
      "unheard",
    ]);
  });

  test("a provider may list a model under a public name of its own", async () => {
    const details = { size: 5 };
    catalog.configure(
      [fakeProvider("one", [{ model: "file.gguf", name: "public", createdAtMs: 9, details }])],
      [],
    );
    expect(await catalog.list()).toMatchObject([{ name: "public", createdAtMs: 9, details }]);
    expect(await find("public")).toEqual(["one/file.gguf"]);
    expect(await find("one/public")).toEqual(["one/file.gguf"]);
  });

  test("a provider that lists one name twice is one target of it", async () => {
    catalog.configure([fakeProvider("one", ["a", "a:latest"])], []);
    expect(await listed()).toEqual(["a: one/a"]);
  });

  test("knows says whether a name means anything now", async () => {
    catalog.configure([fakeProvider("one", ["a"])], [declared("b", ["one/x"], { aliases: ["c"] })]);
    await catalog.list();
    expect(["a", "a:latest", "b", "c", "one/a", "d"].map((name) => catalog.knows(name))).toEqual([
      true,
      true,
      true,
      true,
      true,
      false,
    ]);
  });
});

describe("a declared model that nobody can serve", () => {
  test.each<[string, DeclaredModel, RegExp]>([
    ["of a provider that is not there", declared("a", ["gone/x"]), /not configured/],
    ["without targets", declared("a", []), /not configured/],
    ["whose provider does not have it", declared("a", ["store/missing"]), /not configured/],
    ["that was switched off", declared("a", ["store/there"], { active: false }), /not active/],
  ])("%s is known, and says why", async (_, model, message) => {
    catalog.configure([fakeProvider("store", [], { has: ["there"] })], [model]);
    const found = await catalog.find("a");
    expect(found?.unavailable).toMatchObject({
      kind: "not_configured",
      message: expect.stringMatching(message),
    });
    expect(await catalog.list()).toEqual([]);
    expect(catalog.all()).toHaveLength(1);
  });

  test("can be called once its provider has it", async () => {
    const has: string[] = [];
    const store = fakeProvider("store", [], { has });
    catalog.configure([store], [declared("a", ["store/x"])]);
    expect((await catalog.find("a"))?.unavailable).toBeDefined();
    has.push("x");
    nowMs += 2_000;
    expect((await catalog.find("a"))?.unavailable).toBeUndefined();
  });

  test("keeps those targets that can", async () => {
    catalog.configure([fakeProvider("one")], [declared("a", ["gone/x", "one/y"])]);
    expect(await find("a")).toEqual(["one/y"]);
  });
});

describe("asking providers", () => {
  test("a known name asks nobody", async () => {
    const one = fakeProvider("one", ["a"], { paid: true });
    catalog.configure([one], [declared("b", ["one/x"])]);
    expect(catalog.find("b")).not.toBeInstanceOf(Promise);
    expect(one.asked).toBe(0);
    await find("a");
    nowMs += 1_000_000;
    expect(catalog.find("a")).not.toBeInstanceOf(Promise);
    expect(one.asked).toBe(1);
  });

  test.each([true, false])(
    "an unknown name asks again, but not more often than every two seconds (paid: %p)",
    async (paid) => {
      const one = fakeProvider("one", [], { paid });
      catalog.configure([one], []);
      const askedAt: number[] = [];
      for (nowMs = 0; nowMs < 6_000; nowMs += 250) {
        const before = one.asked;
        expect(await find("new")).toBeUndefined();
        if (one.asked > before) askedAt.push(nowMs);
      }
      expect(askedAt).toEqual([0, 2_000, 4_000]);
      one.lists = ["new"];
      nowMs = 6_000;
      expect(await find("new")).toEqual(["one/new"]);
    },
  );

  test("listing asks a paid provider once a minute, a free one every two seconds", async () => {
    const [paid, free] = [fakeProvider("paid", [], { paid: true }), fakeProvider("free")];
    catalog.configure([paid, free], []);
    for (nowMs = 0; nowMs < 120_000; nowMs += 1_000) await catalog.list();
    expect([paid.asked, free.asked]).toEqual([2, 60]);
  });

  test("those who ask at the same time share one asking", async () => {
    const one = fakeProvider("one", ["a"]);
    const door = gate();
    one.held = door.opened;
    catalog.configure([one], []);
    const finds = [find("a"), find("a"), find("b"), listed()];
    door.open();
    expect(await Promise.all(finds)).toEqual([["one/a"], ["one/a"], undefined, ["a: one/a"]]);
    expect(one.asked).toBe(1);
  });

  test("an unknown name is not refused on the strength of an asking that left its provider out", async () => {
    const [paid, free] = [fakeProvider("paid", [], { paid: true }), fakeProvider("free")];
    catalog.configure([paid, free], []);
    await catalog.list();
    nowMs += 5_000;
    paid.lists = ["new"];
    const door = gate();
    free.held = door.opened;
    const listing = catalog.list(); // asks the free one only
    const found = find("new");
    door.open();
    await listing;
    expect(await found).toEqual(["paid/new"]);
  });

  test("a provider that fails keeps its last list, and does not disturb the others", async () => {
    const [one, two] = [fakeProvider("one", ["a"]), fakeProvider("two", ["b"])];
    catalog.configure([one, two], []);
    expect(await listed()).toEqual(["a: one/a", "b: two/b"]);
    one.lists = new Error("down");
    two.lists = ["c"];
    nowMs += 2_000;
    expect(await listed()).toEqual(["a: one/a", "c: two/c"]);
  });

  test("a paid provider that never answered may have the model: it is unreachable, not the model unknown", async () => {
    const paid = fakeProvider("paid", new GatewayFailure(gatewayError("provider_unreachable", "down")), {
      paid: true,
    });
    catalog.configure([paid, fakeProvider("free", ["a"])], []);
    expect(await find("a")).toEqual(["free/a"]);
    const failure = await find("b").catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(GatewayFailure);
    expect((failure as GatewayFailure).error).toMatchObject({
      kind: "provider_unreachable",
      message: expect.stringContaining("'paid'"),
    });
  });

  test.each<[string, () => ReturnType<typeof fakeProvider>]>([
    ["a free provider", () => fakeProvider("one", new Error("down"))],
    ["a paid provider that has answered before", () => fakeProvider("one", ["a"], { paid: true })],
  ])("of %s that fails, the model is not known", async (_, make) => {
    const one = make();
    catalog.configure([one], []);
    await catalog.list();
    one.lists = new Error("down");
    nowMs += 60_000;
    expect(await find("b")).toBeUndefined();
  });
});

describe("a new configuration", () => {
  test("keeps the lists of the providers that stay, and drops the others", async () => {
    const [one, two] = [fakeProvider("one", ["a"]), fakeProvider("two", ["b"])];
    catalog.configure([one, two], []);
    await catalog.list();
    catalog.configure([one], [declared("c", ["one/x"])]);
    expect(await listed()).toEqual(["c: one/x", "a: one/a"]);
    expect(one.asked).toBe(1);
    expect(catalog.providers()).toEqual([one]);
  });

  test("asks a provider that replaced another of its name", async () => {
    catalog.configure([fakeProvider("one", ["old"])], []);
    await catalog.list();
    catalog.configure([fakeProvider("one", ["new"])], []);
    expect(await listed()).toEqual(["new: one/new"]);
  });

  test("does not take a list that its predecessor was still being asked for", async () => {
    const before = fakeProvider("one", ["old"], { paid: true });
    const door = gate();
    before.held = door.opened;
    catalog.configure([before], []);
    const listing = catalog.list();
    catalog.configure([fakeProvider("one", ["new"], { paid: true })], []);
    door.open();
    await listing;
    expect(await listed()).toEqual(["new: one/new"]);
  });
});
