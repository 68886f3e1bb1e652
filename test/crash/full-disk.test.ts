/**
 * A full disk: answers under way leave, new ones are refused, nothing is forgotten, and once there is room the rows are
 * written, each once. On a small file system of its own, which only root can mount.
 */
import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, yamlOf } from "../scenarios/bad-days/failing-gateway.ts";
import { errorMessage, post, SPOKEN } from "../scenarios/bad-days/spoken.ts";
import { startProcess } from "../support/gateway-process.ts";
import { within } from "../support/within.ts";
import {
  beginStreams,
  expectRows,
  expectWhole,
  heldProvider,
  lastEvent,
  storedRequests,
  streamedAt,
} from "./served.ts";

const STREAMS = 10;

interface SmallDisk extends Disposable {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives it back. */
  empty(): void;
}

/** Gives the reason where the system refuses. */
function mountSmallDisk(): SmallDisk | string {
  const path = mkdtempSync(join(tmpdir(), "parallama-small-disk-"));
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", path]);
  if (mounted.exitCode !== 0) {
    rmSync(path, { recursive: true });
    return `the system refuses the mount: ${mounted.stderr.toString().trim()}`;
  }
  const filler = join(path, "filler");
  return {
    path,
    fill() {
      const file = openSync(filler, "a");
      for (let size = 1024 * 1024; size >= 1; ) {
        try {
          writeSync(file, new Uint8Array(size));
        } catch {
          size = Math.floor(size / 2);
        }
      }
      closeSync(file);
    },
    empty: () => rmSync(filler, { force: true }),
    [Symbol.dispose]() {
      Bun.spawnSync(["umount", "-l", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

test("a full disk", async () => {
  const mounted = mountSmallDisk();
  if (typeof mounted === "string") {
    console.log(`SKIPPED a full disk: ${mounted}`);
    return;
  }
  using disk = mounted;
  await using provider = await heldProvider();
  await using gateway = await startProcess({ yaml: yamlOf(provider.upstream.url), dataDir: disk.path });
  const health = async () => (await fetch(`${gateway.url}/health`)).status;
  expect(await health()).toBe(200);
  const streams = await beginStreams(gateway, gateway.userKey, STREAMS);

  disk.fill();
  provider.held.open();
  for (const { spoken, text } of streams) {
    expect((await within("an answer under way", text)).endsWith(lastEvent(spoken))).toBe(true);
  }
  const failing = await gateway.event("journal.failing");
  expect(failing["level"]).toBe("error");
  expect(await health()).toBe(503);
  for (const spoken of SPOKEN) {
    for (const streamed of [false, true]) {
      const refused = await post(gateway.url, gateway.userKey, spoken, streamed);
      expect(refused.status).toBe(503);
      expect(refused.headers.get("retry-after")).not.toBeNull();
      const requestId = refused.headers.get("x-request-id");
      expect(requestId).not.toBeNull();
      expect(errorMessage(spoken.shape, await refused.json(), requestId)).toContain("cannot be written down");
    }
  }
  // Administration fails with words too, and takes nothing down.
  const made = await fetch(`${gateway.url}/admin/v1/operations/accounts.create`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.adminKey}` },
    body: JSON.stringify({ handle: "late" }),
  });
  expect(made.status).toBeGreaterThanOrEqual(400);
  expect(await made.json()).toHaveProperty("error.message");
  const askedBefore = provider.upstream.requests.length;
  expect(askedBefore).toBe(STREAMS);

  disk.empty();
  await gateway.event("journal.recovered");
  await until("health", async () => (await health()) === 200);
  expectRows(
    gateway.databasePath,
    streams.map(({ requestId }) => requestId),
  );
  const again = await post(gateway.url, gateway.userKey, streamedAt(0), true);
  expect(again.status).toBe(200);
  expect(await again.text()).toContain("Hel");
  expect(await gateway.stop()).toBe(0);
  expectWhole(gateway.databasePath);
  const rows = storedRequests(gateway.databasePath);
  expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
  expect(rows.filter((row) => row.status === 200)).toHaveLength(STREAMS + 1);
});

test("a disk that is full from the start is a clear error, and an exit code", async () => {
  const mounted = mountSmallDisk();
  if (typeof mounted === "string") {
    console.log(`SKIPPED a disk that is full from the start: ${mounted}`);
    return;
  }
  using disk = mounted;
  disk.fill();
  const failure = await startProcess({ dataDir: disk.path }).then(
    () => "it started",
    (thrown: unknown) => String(thrown),
  );
  expect(failure).toMatch(/Error: .*(full|space|disk)/i);
  expect(failure).not.toContain("    at ");
});
