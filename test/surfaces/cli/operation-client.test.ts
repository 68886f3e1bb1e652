import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatewayError } from "../../../src/core/error.ts";
import { ok, refuse } from "../../../src/core/result.ts";
import { systemServices } from "../../../src/surfaces/cli/cli-services.ts";
import { inProcessClient, remoteClient, socketClient } from "../../../src/surfaces/cli/operation-client.ts";
import { COMMAND_SOCKET } from "../../../src/surfaces/command-socket.ts";
import { load } from "../../config/support.ts";
import { run } from "./support.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | null;
  readonly body: unknown;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server that notes what it is asked and answers the same to everything. */
function serverThat(answer: () => Response, where: { unix: string } | { port: number } = { port: 0 }) {
  const asked: Asked[] = [];
  const fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    asked.push({ method: request.method, path: pathname, authorization, body: await request.json() });
    return answer();
  };
  const server =
    "unix" in where ? Bun.serve({ unix: where.unix, fetch }) : Bun.serve({ port: where.port, fetch });
  cleanups.push(() => void server.stop(true));
  return { asked, url: `http://localhost:${"port" in server ? server.port : ""}` };
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parallama-cli-"));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test("a server at an address is asked with the administrator's key", async () => {
  const { asked, url } = serverThat(() => Response.json({ keys: [] }));
  expect(await remoteClient(`${url}/`, "ak_1").run("keys.list", { username: "a" })).toEqual({ keys: [] });
  expect(asked).toEqual([
    {
      method: "POST",
      path: "/admin/v1/operations/keys.list",
      authorization: "Bearer ak_1",
      body: { username: "a" },
    },
  ]);
});

test("the variables name server and key, options come before them", async () => {
  const { asked, url } = serverThat(() => Response.json({ keys: [] }));
  const services = { connect: systemServices.connect };
  const env = { PARALLAMA_URL: url, PARALLAMA_ADMIN_KEY: "ak_env" };
  expect((await run("key list", { env, services })).exitCode).toBe(0);
  expect((await run("key list --admin-key ak_flag", { env, services })).exitCode).toBe(0);
  expect(asked.map(({ authorization }) => authorization)).toEqual(["Bearer ak_env", "Bearer ak_flag"]);
});

test("the server's refusal is the command's error", async () => {
  const body = { error: { message: "User 'x' not found", type: "api_error" } };
  const { url } = serverThat(() => Response.json(body, { status: 404 }));
  const ran = await run(`user info x --url ${url}`, { services: { connect: systemServices.connect } });
  expect(ran).toMatchObject({ exitCode: 1, stdout: "", stderr: "Error: User 'x' not found\n" });
});

test("without a key, a server that wants one is answered with how to give it", async () => {
  const { url } = serverThat(() =>
    Response.json({ error: { message: "API key required" } }, { status: 401 }),
  );
  await expect(remoteClient(url, undefined).run("keys.list", {})).rejects.toThrow(
    /API key required.*PARALLAMA_ADMIN_KEY/,
  );
});

test("what is no answer of Parallama is not taken for one, and a redirect is not followed", async () => {
  const html = serverThat(() => new Response("<html>", { headers: { "content-type": "text/html" } }));
  await expect(remoteClient(html.url, "k").run("keys.list", {})).rejects.toThrow(
    "not an answer of Parallama",
  );
  const other = serverThat(() => Response.json({}));
  const redirecting = serverThat(() => Response.redirect(`${other.url}/x`, 307));
  await expect(remoteClient(redirecting.url, "k").run("keys.list", {})).rejects.toThrow("status 307");
  expect(other.asked).toEqual([]);
});

test("an address must be one, and hold no password", () => {
  expect(() => remoteClient("localhost:8000", "k")).toThrow("is not an address such as");
  expect(() => remoteClient("http://a:secret@b", "k")).toThrow("must not contain credentials");
});

test("a server that is not there is told with its address", async () => {
  await expect(remoteClient("http://127.0.0.1:1", "k").run("keys.list", {})).rejects.toThrow(
    "http://127.0.0.1:1 does not answer (ECONNREFUSED)",
  );
});

test("the command socket is used where a server listens on it", async () => {
  const folder = temporaryFolder();
  const { asked } = serverThat(() => Response.json({ keys: [] }), { unix: join(folder, COMMAND_SOCKET) });
  const client = await socketClient(folder);
  expect(client?.where).toBe("server");
  expect(await client?.run("keys.list", {})).toEqual({ keys: [] });
  expect(asked).toMatchObject([{ path: "/admin/v1/operations/keys.list", authorization: null }]);
});

test("a socket without a server, or what is no socket, means that none runs", async () => {
  const folder = temporaryFolder();
  expect(await socketClient(folder)).toBeUndefined();
  writeFileSync(join(folder, COMMAND_SOCKET), "");
  expect(await socketClient(folder)).toBeUndefined();
});

test("client and server mean the same socket", () => {
  expect(COMMAND_SOCKET).toBe("parallama.sock");
});

test("in this process, outputs are passed on, refusals are thrown, and closing closes", async () => {
  const loaded = load({});
  if (!loaded.ok) throw new Error("the defaults are good");
  let isClosed = false;
  const client = await inProcessClient(loaded.config, async () => ({
    run: async (name) => (name === "good" ? ok(1) : refuse(gatewayError("conflict", "taken"))),
    close: async () => {
      isClosed = true;
    },
  }));
  expect(client.where).toBe("process");
  expect(await client.run("good", {})).toBe(1);
  await expect(client.run("bad", {})).rejects.toThrow("taken");
  await client.close();
  expect(isClosed).toBe(true);
});

test("a configuration that cannot be used is told as a whole, before anything is opened", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "parallama.yaml"), "server:\n  port: many\n  hots: x\n");
  const ran = await run("key list", { cwd, services: { connect: systemServices.connect } });
  expect(ran).toMatchObject({ exitCode: 1, stdout: "" });
  expect(ran.stderr).toStartWith("Error: The configuration cannot be used\n");
  expect(ran.stderr).toContain("server.port (parallama.yaml:2)");
  expect(ran.stderr).toContain("server.hots");
});
