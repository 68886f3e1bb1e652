/**
 * No key, no prompt, ever in a log: strings that occur nowhere else are sent through every kind of success and failure,
 * at the most talkative level and with log files on, and then everything that the program wrote is searched for them.
 */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type GatewayProcess, makeDataDir, startProcess } from "../../support/gateway-process.ts";
import { rawClient, requestBytes } from "../../support/raw-client.ts";
import {
  chunk,
  chunkedHead,
  close,
  end,
  garbage,
  hang,
  json,
  reset,
  type Step,
  wait,
} from "../../support/script.ts";
import { type ScriptedUpstream, scriptedUpstream } from "../../support/scripted-upstream.ts";
import { gate } from "../../support/within.ts";
import { yamlOf } from "./failing-gateway.ts";
import { bodyOf, isStreamed, partly, post, SPOKEN, type Spoken } from "./spoken.ts";

let count = 0;
const canary = (what: string) => `canary-${what}-${++count}-${crypto.randomUUID()}`;

const SECRETS = {
  prompt: canary("prompt"),
  toolArgument: canary("tool"),
  image: Buffer.from(canary("image")).toString("base64").replaceAll("=", ""),
  header: canary("header"),
  cookie: canary("cookie"),
  query: canary("query"),
  path: canary("path"),
  modelName: canary("model"),
  wrongKey: canary("wrong-key"),
  localPrompt: canary("local"),
  providerKey: canary("provider-key"),
  providerHeader: canary("provider-header"),
  answer: canary("answer"),
  providerError: canary("provider-error"),
  inClear: canary("secret-in-clear"),
};

/** What a provider says, good or bad, is the caller's to read. */
const MAY_BE_ANSWERED: ReadonlySet<string> = new Set(["answer", "providerError", "modelName", "path"]);

/** A body full of what must not be repeated. */
function loaded(spoken: Spoken, streamed: boolean): Record<string, unknown> {
  const { prompt, toolArgument, image } = SECRETS;
  const body = bodyOf(spoken, streamed);
  const text = `${prompt} and more`;
  if ("messages" in body) {
    const call = {
      id: "call_1",
      type: "function",
      function: { name: "look", arguments: `{"at":"${toolArgument}"}` },
    };
    body["messages"] = [
      { role: "user", content: text, images: [image] },
      { role: "assistant", content: "", tool_calls: [call] },
      {
        role: "user",
        content: [{ type: "image_url", image_url: { url: `data:image/png;base64,${image}` } }],
      },
    ];
    body["tools"] = [{ type: "function", function: { name: "look", description: toolArgument } }];
  }
  if ("prompt" in body) body["prompt"] = text;
  if ("input" in body) body["input"] = [text];
  return body;
}

type Failure = (spoken: Spoken, streamed: boolean) => Step[];
const said = { error: { message: SECRETS.providerError, type: "x", param: SECRETS.providerError } };
const typed = (spoken: Spoken) => (isStreamed(spoken) ? spoken.contentType : "application/json");
const withAnswer = (spoken: Spoken) =>
  JSON.parse(JSON.stringify(spoken.whole).replaceAll("Hello", SECRETS.answer));

const REPLIES: Readonly<Record<string, Failure>> = {
  good: (spoken) => json(200, withAnswer(spoken), { "x-request-id": SECRETS.providerHeader }),
  stream: (spoken, streamed) =>
    streamed && isStreamed(spoken) ? partly(spoken, spoken.events.length) : json(200, withAnswer(spoken)),
  refused: () => json(400, said),
  unauthorized: () => json(401, said),
  limited: () => json(429, said),
  failed: () => json(500, said),
  html: () => json(200, `<html>${SECRETS.providerError}</html>`, { "Content-Type": "text/html" }),
  half: () => json(200, `{"id":"${SECRETS.answer}`),
  redirect: () => json(307, "", { Location: `http://127.0.0.1:9/${SECRETS.providerError}` }),
  reset: () => [reset()],
  garbage: () => garbage(`${SECRETS.providerError}\r\n\r\n`),
  badHeader: () => [
    {
      do: "bytes",
      bytes: Buffer.from(`HTTP/1.1 200 ${SECRETS.providerError}\r\nx\0${SECRETS.providerError}\r\n\r\n`),
    },
    close(),
  ],
  silent: () => [hang()],
  errorEvent: (spoken) => [
    chunkedHead(200, { "Content-Type": typed(spoken) }),
    chunk(isStreamed(spoken) ? spoken.errorEvent(SECRETS.providerError) : SECRETS.providerError),
    end(),
  ],
  brokenEvent: (spoken) => [
    chunkedHead(200, { "Content-Type": typed(spoken) }),
    chunk(`data: {"${SECRETS.answer}\n\n{"${SECRETS.answer}\n`),
    reset(),
  ],
};

const HEADERS = () => ({
  "content-type": "application/json",
  "openai-beta": SECRETS.header,
  "anthropic-beta": SECRETS.header,
  "user-agent": SECRETS.header,
  "x-request-id": SECRETS.header,
  cookie: SECRETS.cookie,
});

/** Every kind of failure of a provider, by every protocol. Gives the error answers. */
async function sendThroughProviders(gateway: GatewayProcess, upstream: ScriptedUpstream): Promise<string[]> {
  const errors: string[] = [];
  for (const reply of Object.values(REPLIES)) {
    await Promise.all(
      SPOKEN.flatMap((spoken) =>
        (isStreamed(spoken) ? [false, true] : [false]).map(async (streamed) => {
          upstream.replyAlways(`POST ${spoken.path}`, (request) => {
            const { stream } = request.json() as { stream?: boolean };
            return reply(spoken, stream === true);
          });
          const response = await post(`${gateway.url}`, gateway.userKey, spoken, streamed, {
            headers: { ...HEADERS(), authorization: `Bearer ${gateway.userKey}` },
            body: JSON.stringify(loaded(spoken, streamed)),
          });
          const text = await response.text().catch(String);
          if (!response.ok || text.includes('"error"')) errors.push(text);
        }),
      ),
    );
  }
  return errors;
}

/** Requests that never reach a provider. */
async function sendWhatIsRefused(gateway: GatewayProcess): Promise<string[]> {
  const errors: string[] = [];
  for (const spoken of SPOKEN) {
    const good = JSON.stringify(loaded(spoken, false));
    const key = `Bearer ${gateway.userKey}`;
    const tries: { path?: string; authorization?: string; more?: Record<string, string>; body: string }[] = [
      { authorization: `Bearer ${SECRETS.wrongKey}`, body: good },
      { authorization: `${SECRETS.wrongKey}`, body: good },
      { authorization: key, more: { "x-api-key": SECRETS.wrongKey }, body: good },
      { body: good },
      { path: `${spoken.path}?api_key=${SECRETS.query}`, body: good },
      { path: `/v1/${SECRETS.path}`, authorization: key, body: good },
      { authorization: key, body: good.slice(0, -2) },
      { authorization: key, body: `{"model":"a","model":${JSON.stringify(SECRETS.prompt)}}` },
      { authorization: key, body: JSON.stringify({ ...loaded(spoken, false), model: SECRETS.modelName }) },
      { authorization: key, body: JSON.stringify({ ...loaded(spoken, false), stream: SECRETS.prompt }) },
      {
        authorization: key,
        body: JSON.stringify({ ...loaded(spoken, false), [spoken.wrongField[0]]: { a: SECRETS.prompt } }),
      },
    ];
    for (const { path = spoken.path, authorization, more = {}, body } of tries) {
      const headers = { ...HEADERS(), ...more, ...(authorization === undefined ? {} : { authorization }) };
      const response = await fetch(gateway.url + path, { method: "POST", headers, body });
      expect(response.status).toBeGreaterThanOrEqual(400);
      errors.push(await response.text());
    }
  }
  const operation = await fetch(`${gateway.url}/admin/v1/operations/accounts.create`, {
    method: "POST",
    headers: { authorization: `Bearer ${gateway.adminKey}` },
    body: JSON.stringify({ username: { [SECRETS.prompt]: 1 } }),
  });
  expect(operation.status).toBe(400);
  return errors;
}

/** Callers that leave, and a local model, whose process has an output of its own. */
async function sendTheRest(gateway: GatewayProcess, upstream: ScriptedUpstream): Promise<void> {
  for (const spoken of SPOKEN) {
    const left = gate();
    upstream.replyAlways(`POST ${spoken.path}`, () => [wait(left), ...json(200, withAnswer(spoken))]);
    const client = await rawClient(gateway.url);
    const headers = { ...HEADERS(), Authorization: `Bearer ${gateway.userKey}` };
    const asked = upstream.requests.length;
    await client.write(requestBytes({ path: spoken.path, headers, body: loaded(spoken, false) }));
    while (upstream.requests.length === asked) await Bun.sleep(1);
    client.reset();
    await upstream.requests.at(-1)?.closedByPeer;
    left.open();
  }
  const local = (body: object) =>
    fetch(`${gateway.url}/v1/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.userKey}` },
      body: JSON.stringify({ model: "parallama-demo", max_tokens: 4, ...body }),
    });
  expect((await local({ prompt: SECRETS.localPrompt })).status).toBe(200);
  await (await local({ prompt: SECRETS.localPrompt.repeat(2_000) })).text();
  await (
    await local({ prompt: SECRETS.localPrompt, logit_bias: SECRETS.localPrompt, temperature: "x" })
  ).text();
}

test("canaries", async () => {
  const dataDir = makeDataDir();
  await using _folder = {
    [Symbol.asyncDispose]: async () => rmSync(dataDir, { recursive: true, force: true }),
  };
  const logDir = join(dataDir, "logs");
  mkdirSync(logDir);
  await using upstream = await scriptedUpstream();
  const logging = `logging: {level: trace, dir: ${logDir}}`;
  const yaml = yamlOf(upstream.url, { first_byte: "700ms", idle: "700ms" }, logging);
  await using gateway = await startProcess({ yaml, dataDir, env: { UPSTREAM_KEY: SECRETS.providerKey } });
  const shown = gateway.stdout().length;

  const errors = await sendThroughProviders(gateway, upstream);
  // The canaries did fly: the provider has seen its key, and the prompt.
  expect(
    upstream.requests.some((request) => request.header("authorization")?.includes(SECRETS.providerKey)),
  ).toBe(true);
  expect(upstream.requests.some((request) => request.text().includes(SECRETS.prompt))).toBe(true);
  errors.push(...(await sendWhatIsRefused(gateway)));
  await sendTheRest(gateway, upstream);
  const made = await gateway.cli("key", "generate", "me");
  const madeKey = /pk_\w{43}/.exec(made.stdout)?.[0] ?? "";
  expect(madeKey).not.toBe("");
  const wrong = `nobody_knows: {x: ${SECRETS.inClear}}\nhub: {token: [${SECRETS.inClear}]}`;
  const wrongKey = yaml.replaceAll(/\$\{UPSTREAM_KEY\}/g, `{a: ${SECRETS.inClear}}`);
  writeFileSync(join(dataDir, "parallama.yaml"), `${wrongKey}\n${wrong}\n`);
  gateway.signal("SIGHUP");
  await gateway.event("configuration.refused");
  expect(await gateway.stop()).toBe(0);

  const logs = readdirSync(logDir).map((name) => [name, readFileSync(join(logDir, name), "utf8")] as const);
  expect(logs.map(([name]) => name).sort()).toEqual(["api.log", "error.log", "usage.log"]);
  for (const name of ["api.log", "usage.log", "error.log"]) {
    expect(logs.find(([other]) => other === name)?.[1].length).toBeGreaterThan(100);
  }
  // What the first start shows on purpose is left out: the keys in the welcome.
  const written = [...logs, ["stdout", gateway.stdout().slice(shown)], ["stderr", gateway.stderr()]] as const;
  const keys = { userKey: gateway.userKey, adminKey: gateway.adminKey, madeKey };
  const found: string[] = [];
  for (const [what, secret] of Object.entries({ ...SECRETS, ...keys })) {
    for (const [where, text] of written) if (text.includes(secret)) found.push(`${what} in ${where}`);
    if (MAY_BE_ANSWERED.has(what)) continue;
    if (errors.some((text) => text.includes(secret))) found.push(`${what} in an error's answer`);
  }
  expect(found).toEqual([]);
}, 240_000);
