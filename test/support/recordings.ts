/**
 * Answers recorded from real providers, in one shape. They are not part of the project: they lie in the folder
 * that the environment variable PARALLAMA_RECORDINGS names, and tests that need them skip where it is not set.
 * Three kinds are read: `ai-sdk/` (bare events, one per line), `openai-cassettes/` (YAML, request and answer) and
 * `ollama/` (JSON, request and answer). The project's own examples are in fixtures/wire, see fixtures.ts.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { readAiSdkFile, readCassette, readOllamaFile } from "./recording-formats.ts";
import { skipReason } from "./skip.ts";

export type RecordingProtocol =
  | "openai-chat"
  | "openai-completions"
  | "openai-embeddings"
  | "openai-responses"
  | "openai-models"
  | "openai-transcription"
  | "anthropic-messages"
  | "anthropic-count-tokens"
  | "ollama-chat"
  | "ollama-generate"
  | "ollama-embed"
  | "ollama-embeddings"
  | "ollama-management"
  | "ollama-other";

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
  /** The body where it is JSON. */
  readonly body: unknown;
}

export interface Recording {
  /** The path below the recordings' folder without its ending; `#2` for the second answer in one file. */
  readonly id: string;
  readonly collection: "ai-sdk" | "openai-cassettes" | "ollama";
  /** Who answered: "openai", "azure", "anthropic", "ollama", "mistral", "lmstudio", ... */
  readonly provider: string;
  readonly protocol: RecordingProtocol;
  /** Absent in the ai-sdk collection, which recorded answers only. */
  readonly request?: RecordedRequest;
  readonly status: number;
  /** Names in lower case. Of the ai-sdk collection only a restored content type. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the answer is an event stream or line by line. */
  readonly stream: boolean;
  /** The whole body; `chunks` joined. */
  readonly body: Uint8Array;
  /** The pieces it came in: Ollama's as received, of the others one per event, a whole answer in one piece. */
  readonly chunks: readonly Uint8Array[];
  /** Why a strict reader may stumble over it. */
  readonly knownOdd?: string;
  /** Its ids and numbers were made up or trimmed by those who collected it: it shows a form, not a fact. */
  readonly madeUp: boolean;
}

export interface LoadedRecordings {
  readonly recordings: readonly Recording[];
  /** Files that are not loaded, each with the reason. */
  readonly left: readonly { readonly file: string; readonly reason: string }[];
  /** Every file seen, relative to the folder. */
  readonly files: readonly string[];
}

const folder = process.env.PARALLAMA_RECORDINGS ?? "";

/** Why tests on recordings are skipped; undefined where they run. */
export const recordingsSkipReason: string | undefined = skipReason(
  "recordings absent",
  folder === "" ? "PARALLAMA_RECORDINGS is not set: tests on recorded answers are skipped" : undefined,
);

let loaded: LoadedRecordings | undefined;

/** Everything, read once. Throws where the variable names a folder that is not there. */
export function loadRecordings(): LoadedRecordings {
  loaded ??= folder === "" ? { recordings: [], left: [], files: [] } : readFolder(folder);
  return loaded;
}

/** The recordings that match; none where the folder is not set. */
export function recordings(
  wanted: Partial<Pick<Recording, "protocol" | "provider" | "stream" | "collection">> = {},
): readonly Recording[] {
  return loadRecordings().recordings.filter(
    (recording) =>
      (wanted.protocol === undefined || recording.protocol === wanted.protocol) &&
      (wanted.provider === undefined || recording.provider === wanted.provider) &&
      (wanted.stream === undefined || recording.stream === wanted.stream) &&
      (wanted.collection === undefined || recording.collection === wanted.collection),
  );
}

/** One recording by its id. Throws where there is none, and names those of the same folder. */
export function recording(id: string): Recording {
  const all = loadRecordings().recordings;
  const found = all.find((candidate) => candidate.id === id);
  if (found !== undefined) return found;
  const siblings = all.filter((candidate) => candidate.id.startsWith(id.slice(0, id.lastIndexOf("/") + 1)));
  throw new Error(`no recording ${id}; there are: ${siblings.map((sibling) => sibling.id).join(", ")}`);
}

function readFolder(root: string): LoadedRecordings {
  if (!existsSync(root)) throw new Error(`PARALLAMA_RECORDINGS names ${root}, which does not exist`);
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
  const left: { file: string; reason: string }[] = [];
  const found = files.flatMap((file) => {
    const result = readRecordingFile(file, readFileSync(join(root, file)));
    if (typeof result !== "string") return result;
    left.push({ file, reason: result });
    return [];
  });
  return { recordings: found, left, files };
}

/** The recordings in one file, or the reason why there are none. */
function readRecordingFile(file: string, bytes: Uint8Array): readonly Recording[] | string {
  try {
    if (file.startsWith("ai-sdk/")) return readAiSdkFile(file, bytes);
    if (file.startsWith("openai-cassettes/") && file.endsWith(".yaml")) return readCassette(file, bytes);
    if (file.startsWith("ollama/") && file.endsWith(".json")) return readOllamaFile(file, bytes);
    return file.endsWith(".md") ? "a description, not a recording" : "of no known kind";
  } catch (failure) {
    return `unreadable: ${failure instanceof Error ? failure.message : String(failure)}`;
  }
}
