import { NANO_PER_USD, parseUsd } from "../core/money.ts";
import { parseApiUrl, parseBaseUrl, parseOllamaUrl } from "./base-url.ts";
import type { GpuMode, LogLevel, UnpricedRule } from "./config.ts";
import { parseDurationMs } from "./parse-duration-ms.ts";
import { parseListenAddress } from "./parse-listen-address.ts";
import { parseSize } from "./parse-size.ts";
import { Problem } from "./problem.ts";

/** A kind of single value: how it is written, how it is read, and whether it may be shown. */
export interface Kind<T> {
  /** For the documentation: "size", "duration". */
  readonly type: string;
  /** Completes "expected ...". */
  readonly expected: string;
  readonly unit?: string;
  /** May `config show` print it? Asked for every kind, so that a new one is hidden until somebody decides. */
  readonly isShown: boolean;
  /** Never called with `undefined`. */
  parse(raw: unknown): T | Problem;
}

const MAX_TIMER_MS = 2_147_483_647;

/** A kind whose values are one of these words; letter case does not matter. */
function words<T extends string>(known: readonly T[], synonyms: ReadonlyMap<string, T> = new Map()): Kind<T> {
  const quoted = known.map((word) => `"${word}"`);
  const expected = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return {
    type: known.join(" | "),
    expected,
    isShown: true,
    parse(raw) {
      const word = typeof raw === "string" ? raw.trim().toLowerCase() : undefined;
      const found = known.find((each) => each === word) ?? synonyms.get(word ?? "");
      return found ?? wrong(expected, raw, "string");
    },
  };
}

/** A kind read by a function that gives `undefined` for what it cannot read. */
function from<T>(
  about: Omit<Kind<T>, "parse">,
  accepts: readonly ("string" | "number" | "boolean")[],
  read: (raw: string | number | boolean) => T | Problem | undefined,
): Kind<T> {
  return {
    ...about,
    parse(raw) {
      if (typeof raw !== "string" && typeof raw !== "number" && typeof raw !== "boolean") {
        return wrong(about.expected, raw, ...accepts);
      }
      if (!accepts.some((type) => type === typeof raw)) return wrong(about.expected, raw, ...accepts);
      return read(raw) ?? new Problem(`expected ${about.expected}`);
    },
  };
}

function wrong(expected: string, raw: unknown, ...accepts: readonly string[]): Problem {
  if (accepts.includes(typeof raw)) return new Problem(`expected ${expected}`);
  const hint = accepts.includes("string") && typeof raw === "number" ? "; put it in quotes" : "";
  return new Problem(`expected ${expected}, got ${describeType(raw)}${hint}`);
}

/** What somebody wrote, by its type only: the value may be a secret in the wrong place. */
export function describeType(raw: unknown): string {
  if (Array.isArray(raw)) return "a list";
  switch (typeof raw) {
    case "string":
      return "text";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "object":
      return raw === null ? "nothing" : "keys and values";
    default:
      return "nothing";
  }
}

function wholeNumber(raw: string | number | boolean): number | undefined {
  if (typeof raw === "string" && !/^\s*\d{1,15}\s*$/.test(raw)) return undefined;
  const value = Number(raw);
  return Number.isSafeInteger(value) ? value : undefined;
}

function plainText(raw: string | number | boolean): string | undefined {
  const text = String(raw).trim();
  return text === "" ? undefined : text;
}

/** A whole number within bounds; a flag or a variable gives it as text. */
export function integer(min: number, max: number, unit?: string): Kind<number> {
  const expected = `a whole number from ${min} to ${max}`;
  const about = { type: "integer", expected, isShown: true, ...(unit === undefined ? {} : { unit }) };
  return from(about, ["number", "string"], (raw) => {
    const value = wholeNumber(raw);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  });
}

/** A number of bytes within bounds. */
export function size(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const expected = `a size such as "32MiB" or a number of bytes, at least ${min}`;
  return from({ type: "size", expected, unit: "bytes", isShown: true }, ["number", "string"], (raw) => {
    const bytes = typeof raw === "boolean" ? undefined : parseSize(raw);
    return bytes !== undefined && bytes >= min && bytes <= max ? bytes : undefined;
  });
}

/** Milliseconds within bounds; the longest is what a timer can hold, 24 days. */
export function duration(minMs: number): Kind<number> {
  const expected = `a duration such as "10s", "500ms" or "5m", or a number of seconds, ${minMs > 0 ? "above zero and " : ""}up to 24 days`;
  return from({ type: "duration", expected, unit: "seconds", isShown: true }, ["number", "string"], (raw) => {
    const ms = typeof raw === "boolean" ? undefined : parseDurationMs(raw);
    return ms !== undefined && ms >= minMs && ms <= MAX_TIMER_MS ? ms : undefined;
  });
}

export const boolean: Kind<boolean> = from(
  { type: "boolean", expected: "true or false", isShown: true },
  ["boolean"],
  (raw) => raw === true,
);

/** Text that may be shown: names and the like. */
export const name: Kind<string> = from(
  { type: "text", expected: "text", isShown: true },
  ["string"],
  plainText,
);

/** A name that stands before the slash in `provider/model`. */
export const providerName: Kind<string> = from(
  { type: "text", expected: "a provider's name: letters, digits, - and _", isShown: true },
  ["string"],
  (raw) => (PROVIDER_NAME.test(String(raw)) ? String(raw) : undefined),
);

export const PROVIDER_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** A path in the file system; made absolute later. */
export const path: Kind<string> = from(
  { type: "path", expected: "a path", isShown: true },
  ["string"],
  (raw) => (String(raw).includes("\0") ? undefined : plainText(raw)),
);

/** Text that is never shown. It may hold `${NAME}`. */
export const secret: Kind<string> = from(
  { type: "secret", expected: `text, best as a reference such as "\${NAME}"`, isShown: false },
  ["string"],
  plainText,
);

/** A database address: not shown as it stands, for it may hold a password before it is refused. */
export const databaseUrl: Kind<string> = from(
  { type: "text", expected: 'text such as "sqlite:///./data/parallama.db"', isShown: false },
  ["string"],
  plainText,
);

const ADDRESS = 'an address such as "https://api.example.com/v1"';

export const baseUrl: Kind<string> = from(
  { type: "URL", expected: ADDRESS, isShown: true },
  ["string"],
  (raw) => parseBaseUrl(String(raw)),
);

/** A provider's address as it stands: which of the forms below it may have depends on the provider's type. */
export const providerUrl: Kind<string> = from(
  { type: "URL", expected: ADDRESS, isShown: true },
  ["string"],
  (raw) => {
    const text = String(raw).trim();
    const parsed = text.includes("://") ? parseBaseUrl(text) : parseOllamaUrl(text);
    return parsed instanceof Problem ? parsed : text;
  },
);

/** As `baseUrl`; a whole endpoint's address is understood too. */
export const apiUrl: Kind<string> = from(
  { type: "URL", expected: ADDRESS, isShown: true },
  ["string"],
  (raw) => parseApiUrl(String(raw)),
);

/** As `baseUrl`; the forms that Ollama's own `OLLAMA_HOST` takes are understood too. */
export const ollamaUrl: Kind<string> = from(
  { type: "URL", expected: 'an address such as "http://localhost:11434"', isShown: true },
  ["string"],
  (raw) => parseOllamaUrl(String(raw)),
);

/** The host part of an address to bind or to reach. */
export const host: Kind<string> = from(
  { type: "text", expected: "a host name or IP address", isShown: true },
  ["string"],
  (raw) => {
    const text = String(raw)
      .trim()
      .replace(/^\[(.*)\]$/, "$1");
    return /^[A-Za-z0-9_.:%-]+$/.test(text) ? text : undefined;
  },
);

export const listenAddress: Kind<{ host: string; port: number }> = from(
  { type: "host:port", expected: '"host:port", such as "127.0.0.1:8001" or "[::1]:8001"', isShown: true },
  ["string"],
  (raw) => parseListenAddress(String(raw)),
);

export const billing = words(["paid", "free"]);

export const providerType = words(
  ["openai-compatible", "anthropic", "ollama", "local"],
  new Map([["openai", "openai-compatible"]]),
);

export const logFormat = words(["auto", "json", "text"]);

export const logLevel: Kind<LogLevel> = words(
  ["trace", "debug", "info", "warning", "error", "fatal"],
  new Map([
    ["warn", "warning"],
    ["critical", "fatal"],
  ]),
);

const gpuWord = words(["auto", "cuda", "vulkan", "metal"]);

export const gpu: Kind<GpuMode> = {
  type: "false | auto | cuda | vulkan | metal",
  expected: 'false, "auto", "cuda", "vulkan" or "metal"',
  isShown: true,
  parse(raw) {
    if (raw === false || raw === "false") return false;
    const parsed = gpuWord.parse(raw);
    return parsed instanceof Problem ? wrong(gpu.expected, raw, "string") : parsed;
  },
};

export const threads: Kind<number | "auto"> = from(
  { type: "integer | auto", expected: '"auto" or a whole number from 1 to 1024', isShown: true },
  ["number", "string"],
  (raw) => {
    if (raw === "auto") return "auto";
    const count = wholeNumber(raw);
    return count !== undefined && count >= 1 && count <= 1024 ? count : undefined;
  },
);

export const unpriced: Kind<UnpricedRule> = from(
  {
    type: "refuse | free | amount",
    expected: '"refuse", "free" or an amount in USD for each request, such as 0.01',
    unit: "USD for each request",
    isShown: true,
  },
  ["number", "string"],
  (raw) => {
    if (raw === "refuse" || raw === "free") return { kind: raw };
    const text = typeof raw === "number" ? decimalText(raw) : String(raw);
    const costNanoUsd = text === undefined ? undefined : parseUsd(text);
    if (costNanoUsd === undefined || costNanoUsd > 1_000_000n * NANO_PER_USD) return undefined;
    return { kind: "flat", costNanoUsd };
  },
);

/** A number as a plain decimal: `String` writes small ones as 1e-7. */
function decimalText(value: number): string | undefined {
  if (!Number.isFinite(value) || value < 0 || value > 1e6) return undefined;
  const text = value.toFixed(9);
  return Number(text) === value ? text : undefined;
}
