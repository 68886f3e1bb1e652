import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ModelStore, type StoredModel } from "../../../src/providers/local/worker/model-store.ts";
import { patienceMs, temporaryDirectory, until } from "./support.ts";

setDefaultTimeout(patienceMs);

interface FakeModel extends StoredModel {
  readonly path: string;
}

const directory = temporaryDirectory();
const [a, b, c] = ["a", "b", "c"].map((name) => join(directory.path, name)) as [string, string, string];
const never = new AbortController().signal;

beforeAll(() => {
  for (const path of [a, b, c]) writeFileSync(path, path);
});
afterAll(() => directory.remove());

function createStore(maxLoadedModels: number, beforeLoaded: () => Promise<void> = async () => {}) {
  const loads: string[] = [];
  const unloads: string[] = [];
  const store = new ModelStore<FakeModel>({
    maxLoadedModels,
    maxLeasesPerModel: 3,
    maxWaiting: 2,
    onUnloaded: (path) => unloads.push(path),
    load: async (path) => {
      loads.push(path);
      await beforeLoaded();
      return { path, dispose: async () => {} };
    },
  });
  return { store, loads, unloads };
}

test("requests at the same time share one load, later ones find the model there", async () => {
  const { store, loads } = createStore(2);
  const leases = await Promise.all([store.lease(a, never), store.lease(a, never)]);
  for (const lease of leases) lease.release();
  (await store.lease(a, never)).release();
  expect(loads).toEqual([a]);
});

test("the least recently used idle model makes room", async () => {
  const { store, unloads } = createStore(2);
  for (const path of [a, b, a, c]) (await store.lease(path, never)).release();
  expect(unloads).toEqual([b]);
  expect(
    store
      .loaded()
      .map((model) => model.path)
      .sort(),
  ).toEqual([a, c]);
});

test("a model at work is not unloaded; the request for another waits for it", async () => {
  const { store, unloads } = createStore(1);
  const working = await store.lease(a, never);
  const other = store.lease(b, never);
  await until("the request to wait", () => store.waiting === 1);
  expect(unloads).toEqual([]);
  working.release();
  expect((await other).model.path).toBe(b);
  expect(unloads).toEqual([a]);
});

test("a busy model cannot keep another one waiting for ever", async () => {
  const { store } = createStore(1);
  const first = await store.lease(a, never);
  const other = store.lease(b, never);
  await until("the request to wait", () => store.waiting === 1);
  const late = store.lease(a, never);
  first.release();
  const lease = await other;
  expect(lease.model.path).toBe(b);
  lease.release();
  expect((await late).model.path).toBe(a);
});

test("who waits can leave, and too many waiting are refused", async () => {
  const { store } = createStore(1);
  const working = await store.lease(a, never);
  const leaving = new AbortController();
  const waiting = store.lease(b, leaving.signal);
  const staying = store.lease(b, never);
  await until("both to wait", () => store.waiting === 2);
  await expect(store.lease(c, never)).rejects.toThrow("Too many requests");
  leaving.abort(new Error("gone"));
  await expect(waiting).rejects.toThrow("gone");
  working.release();
  (await staying).release();
});

test("more requests for one model than slots and queue hold are refused", async () => {
  const { store } = createStore(1);
  const leases = await Promise.all([1, 2, 3].map(() => store.lease(a, never)));
  await expect(store.lease(a, never)).rejects.toThrow("queue is full");
  for (const lease of leases) lease.release();
  (await store.lease(a, never)).release();
});

test("a failed load is told to all who waited for it, and tried again", async () => {
  const attempt = Promise.withResolvers<void>();
  const { store, loads } = createStore(1, () => attempt.promise);
  const both = Promise.allSettled([store.lease(a, never), store.lease(a, never)]);
  await until("both to share the load", () => store.leases(a) === 2);
  attempt.reject(new Error("damaged"));
  expect((await both).map((result) => result.status)).toEqual(["rejected", "rejected"]);
  expect(loads).toEqual([a]);
  await expect(store.lease(a, never)).rejects.toThrow("damaged");
  await until("the second attempt", () => loads.length === 2);
});

test("a replaced file is loaded anew", async () => {
  const { store, loads } = createStore(2);
  (await store.lease(c, never)).release();
  writeFileSync(c, "other content");
  (await store.lease(c, never)).release();
  expect(loads).toEqual([c, c]);
});

test("a missing file is 404, a relative path 400", async () => {
  const { store } = createStore(1);
  const status = async (path: string) =>
    await store.lease(path, never).then(
      () => 200,
      (error) => error.fields.status,
    );
  expect(await status(join(directory.path, "missing"))).toBe(404);
  expect(await status(directory.path)).toBe(404);
  expect(await status("a")).toBe(400);
});
