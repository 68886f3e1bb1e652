import { expect, test } from "bun:test";
import { displayKeyPath, formatKeyPath } from "../../src/config/key-path.ts";

test("a path is written as people write it", () => {
  expect(formatKeyPath(["models", 0, "targets", 1, "provider"])).toBe("models[0].targets[1].provider");
  expect(formatKeyPath(["providers", "a.b", "headers", "X-A"])).toBe('providers."a.b".headers.X-A');
  expect(formatKeyPath([])).toBe("");
});

test("only for errors, a name that looks like a secret is hidden", () => {
  const path = ["providers", "sk-live-0123456789abcdef", "models"];
  expect(displayKeyPath(path)).toBe("providers.(hidden name).models");
  expect(formatKeyPath(path)).toBe("providers.sk-live-0123456789abcdef.models");
  expect(displayKeyPath(["server", "max_concurrent_requests"])).toBe("server.max_concurrent_requests");
  expect(displayKeyPath(["x".repeat(65)])).toBe("(hidden name)");
});
