import { expect, test } from "bun:test";
import { SlotPool } from "../../../src/providers/local/worker/slot-pool.ts";

const never = new AbortController().signal;

test("slots are given in the order of asking", async () => {
  const pool = new SlotPool(["a"]);
  const first = await pool.acquire(never);
  const order: string[] = [];
  const second = pool.acquire(never).then((slot) => {
    order.push("second");
    return slot;
  });
  const third = pool.acquire(never).then((slot) => {
    order.push("third");
    return slot;
  });
  expect([pool.active, pool.queued]).toEqual([1, 2]);
  first.release();
  (await second).release();
  (await third).release();
  expect(order).toEqual(["second", "third"]);
  expect([pool.active, pool.queued]).toEqual([0, 0]);
});

test("who leaves the line takes no slot", async () => {
  const pool = new SlotPool(["a"]);
  const first = await pool.acquire(never);
  const leaving = new AbortController();
  const second = pool.acquire(leaving.signal);
  const third = pool.acquire(never);
  leaving.abort(new Error("gone"));
  await expect(second).rejects.toThrow("gone");
  expect(pool.queued).toBe(1);
  first.release();
  expect((await third).value).toBe("a");
});

test("releasing twice frees one slot", async () => {
  const pool = new SlotPool(["a", "b"]);
  const slot = await pool.acquire(never);
  await pool.acquire(never);
  slot.release();
  slot.release();
  expect(pool.active).toBe(1);
});

test("an aborted signal gets nothing", async () => {
  const pool = new SlotPool(["a"]);
  await expect(pool.acquire(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  expect(pool.active).toBe(0);
});
