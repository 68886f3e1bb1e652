import { expect, test } from "bun:test";
import { gatewayError } from "../../src/core/error.ts";
import type { Principal } from "../../src/core/principal.ts";
import { ok, refuse } from "../../src/core/result.ts";
import { authenticate } from "../../src/engine/authenticate.ts";
import type { Keys } from "../../src/engine/ports.ts";

const ANN: Principal = { accountId: 1, accountHandle: "ann", keyId: 1, role: "user", allowedModels: null };
const KEYS: Keys = {
  authenticate: (secret) => (secret === "good" ? ok(ANN) : refuse(gatewayError("invalid_credentials", "no"))),
};

test.each<[Record<string, string>, string]>([
  [{ authorization: "Bearer good" }, "ann"],
  [{ authorization: "bearer good" }, "ann"],
  [{ authorization: "BEARER   good  " }, "ann"],
  [{ "x-api-key": "good" }, "ann"],
  [{ authorization: "Bearer good", "x-api-key": "good" }, "ann"],
  [{ authorization: "Bearer good", "x-api-key": "other" }, "ambiguous_credentials"],
  [{ authorization: "Bearer other", "x-api-key": "good" }, "ambiguous_credentials"],
  [{}, "missing_credentials"],
  [{ authorization: "Bearer bad" }, "invalid_credentials"],
  [{ authorization: "Basic good" }, "invalid_credentials"],
  [{ authorization: "good" }, "invalid_credentials"],
  [{ authorization: "Bearer" }, "invalid_credentials"],
  [{ authorization: "Bearer " }, "invalid_credentials"],
  [{ authorization: "" }, "invalid_credentials"],
  [{ "x-api-key": "" }, "invalid_credentials"],
  [{ "x-api-key": "bad" }, "invalid_credentials"],
  [{ "x-api-key": "Bearer good" }, "invalid_credentials"],
])("%j is %s", (headers, who) => {
  const result = authenticate(KEYS, new Headers(headers));
  expect<string | null>(result.ok ? result.value.accountHandle : result.error.kind).toBe(who);
});
