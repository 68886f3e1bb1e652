import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { OPERATIONS } from "../../src/operations/index.ts";
import { expectOnly } from "./exceptions.ts";
import { repositoryFiles } from "./repository.ts";

test("every file of an operation is in the list of operations, under its own name", () => {
  const named = repositoryFiles().flatMap(
    (path) => /^src\/operations\/([a-z]+\.[a-z]+)\.ts$/.exec(path)?.[1] ?? [],
  );
  expect(OPERATIONS.map((operation): string => operation.name).sort()).toEqual(named.sort());
});

describe.each(OPERATIONS.map((operation) => [operation.name, operation] as const))("%s", (_, operation) => {
  test("has a summary in whole sentences", () => {
    expect(operation.summary).toMatch(/^[A-Z].{10,}\.$/);
  });

  test("says what it makes stale only where it changes something", () => {
    if (!operation.changes) expect(operation.stale).toEqual([]);
  });

  test("takes an object and nothing that it does not know", () => {
    const schema = jsonSchema(operation.input, "input");
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
  });

  test("has an output that can be documented", () => {
    expect(jsonSchema(operation.output, "output")).toMatchObject({ type: "object" });
  });
});

/** Inputs whose names say it all. */
const PLAIN = new Set([
  "name",
  "email",
  "role",
  "model",
  "provider",
  "all",
  "replace",
  "aliases",
  "origin",
  "latest",
]);

const UNDESCRIBED: Record<string, string> = {
  "accounts.create: username": "the name that is being given; its form is in the refusal",
};

test("every input whose name does not say it all has a description", () => {
  const bare = OPERATIONS.flatMap((operation) => {
    const { properties } = jsonSchema(operation.input, "input");
    return Object.entries(properties ?? {})
      .filter(([name, schema]) => !PLAIN.has(name) && !isDescribed(schema))
      .map(([name]) => `${operation.name}: ${name}`);
  });
  expectOnly(bare, UNDESCRIBED);
});

function isDescribed(schema: unknown): boolean {
  return JSON.stringify(schema).includes('"description"');
}

function jsonSchema(schema: z.ZodType, io: "input" | "output") {
  return z.toJSONSchema(schema, { io });
}
