import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ErrorKind, gatewayError, httpStatusOf } from "../../src/core/error.ts";
import { OPERATIONS } from "../../src/operations/index.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { readText, repositoryFiles } from "./repository.ts";

const page = readText("docs/reference/http.md");

interface DocumentedRoute {
  readonly method: string;
  readonly path: string;
  readonly access: string;
  readonly shape: string;
}

const documented: DocumentedRoute[] = [
  ...page.matchAll(/^\| `(GET|POST)` +\| `(\S+)` +\| (open|key|admin) +\|.*\| (\w+) +\|$/gm),
].map(([, method = "", path = "", access = "", shape = ""]) => ({ method, path, access, shape }));

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.close());

test("docs/reference/http.md has every route of the router, and no other", () => {
  const served = gateway.app.router.routes.map(
    ({ method, path }) => `${method} ${path.replace(/:(\w+)(?:\{[^/]*\})?/g, "{$1}")}`,
  );
  expect(documented.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(served.sort());
});

describe.each(documented)("$method $path", ({ method, path, access, shape }) => {
  const ask = (key?: string) =>
    fetch(gateway.url + path.replace("{id}", "no-such-model").replace("{name}", "accounts.list"), {
      method,
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    });

  test(`may be called by: ${access}`, async () => {
    const [stranger, user, admin] = [await ask(), await ask(gateway.userKey), await ask(gateway.adminKey)];
    expect({ stranger: isKeptOut(stranger), user: isKeptOut(user), admin: isKeptOut(admin) }).toEqual({
      stranger: access !== "open",
      user: access === "admin",
      admin: false,
    });
  });

  test("names the request in its answer", async () => {
    expect((await ask()).headers.get("x-request-id")).toMatch(/^[0-9A-Z]{26}$/);
  });

  if (access === "open") return;

  test("says no in the shape that is shown", async () => {
    const response = await ask();
    const body = await response.json();
    const example = exampleOf(shape);
    const id = response.headers.get("x-request-id");
    expect(body).toEqual("request_id" in example ? { ...example, request_id: id } : example);
  });
});

test("every kind of error is documented with its status", () => {
  const kinds = [...readText("src/core/error.ts").matchAll(/^ {2}\| "(\w+)"/gm)].map(([, kind = ""]) => kind);
  expect(kinds.length).toBeGreaterThan(20);
  const rows = [...page.matchAll(/^\| (\d{3}) +\| `(\w+)` +\|/gm)].map(
    ([, status, kind]) => `${kind} ${status}`,
  );
  const real = kinds.map((kind) => `${kind} ${httpStatusOf(gatewayError(kind as ErrorKind, ""))}`);
  expect(rows.sort()).toEqual(real.sort());
});

test("every operation is documented with its summary", () => {
  const rows = [...page.matchAll(/^\| `([a-z]+\.[a-z]+)` +\| (.+?) *\|$/gm)].map(
    ([, name, text]) => `${name}: ${text}`,
  );
  expect(rows.sort()).toEqual(OPERATIONS.map(({ name, summary }) => `${name}: ${summary}`).sort());
});

test("every header that a response is given is documented, and no other", () => {
  const rows = page.slice(page.indexOf("## Response headers"), page.indexOf("## Errors"));
  const names = [...rows.matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, name]) => name);
  expect(names.sort()).toEqual([...headersInSource()].sort());
});

/** Names of response headers in the files that make responses. */
function headersInSource(): Set<string> {
  const relay = readText("src/engine/relay.ts");
  const relayed = /RELAYED_HEADERS = \[([^\]]*)\]/.exec(relay)?.[1]?.matchAll(/"([a-z-]+)"/g) ?? [];
  const names = new Set([...relayed].map(([, name = ""]) => name));
  const sources = repositoryFiles().filter((path) => /^src\/(?:surfaces\/http\/|engine\/relay)/.test(path));
  for (const path of sources) {
    const text = readText(path);
    for (const [, name = ""] of text.matchAll(/headers\.set\("([a-z-]+)"/g)) names.add(name);
    for (const [, name = ""] of text.matchAll(
      /"((?:[a-z]+-)+[a-z]+)": ?(?:requestId|"no-cache"|"application)/g,
    ))
      names.add(name);
  }
  return names;
}

function isKeptOut(response: Response): boolean {
  return response.status === 401 || response.status === 403;
}

function exampleOf(shape: string): Record<string, unknown> {
  const json = new RegExp(`^${shape}:\\n\\n\`\`\`json\\n([^]*?)\\n\`\`\``, "mi").exec(page)?.[1];
  if (json === undefined) throw new Error(`docs/reference/http.md shows no example of the shape '${shape}'`);
  return JSON.parse(json);
}
