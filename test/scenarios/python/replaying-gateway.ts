import { fixture } from "../../support/fixtures.ts";
import { replay } from "../../support/replay.ts";
import { close, json, type Script, wait } from "../../support/script.ts";
import type { UpstreamRequest } from "../../support/scripted-upstream.ts";
import { gate } from "../../support/within.ts";
import { type Relay, startRelay } from "../relay/relay-setup.ts";

/**
 * A gateway before an upstream that replays the fixture which a request names in its text: `fixture:<id>`. So the
 * order of the requests does not matter. `fixture:cut:<id>` sends a part of a stream and breaks off when somebody
 * asks for `fixture:now:<id>`: the reader of the stream does, when a part of it has arrived.
 */
export async function startReplaying(): Promise<Relay> {
  const relay = await startRelay(["gpt-test", "claude-test", "llama-test"]);
  const { upstream } = relay;
  const cut = gate();
  upstream.replyAlways("*", (request) => answerNamedBy(request, cut));
  upstream.replyAlways("GET /v1/models", () => json(200, { object: "list", data: [], has_more: false }));
  upstream.replyAlways("GET /api/tags", () => json(200, { models: [] }));
  upstream.replyAlways("POST /api/show", () => replay(fixture("ollama/show")));
  return relay;
}

/** Pieces of a stream that are delivered before it is cut. */
const BEFORE_THE_CUT = 4;

function answerNamedBy(request: UpstreamRequest, cut: ReturnType<typeof gate>): Script {
  const [, how, id] = /fixture:(cut:|now:)?([\w-]+\/[\w-]+)/.exec(request.text()) ?? [];
  if (id === undefined) return json(404, { error: "this request names no fixture" });
  const answer = fixture(id);
  if (how === "now:") cut.open();
  if (how !== "cut:") return replay(answer);
  const part = replay({ ...answer, chunks: answer.chunks.slice(0, BEFORE_THE_CUT) });
  return [...part.filter((step) => step.do !== "end"), wait(cut), close()];
}
