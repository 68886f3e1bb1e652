import { badRequest } from "./api-error.ts";
import type { ChatMessage } from "./chat-template.ts";
import { jsonObjectGrammar, jsonSchemaGrammar } from "./json-grammar.ts";
import {
  isJsonObject,
  type JsonObject,
  missing,
  modelName,
  onlyOne,
  optionalBoolean,
  optionalNumber,
  optionalObject,
  optionalString,
  requiredArray,
  stopStrings,
  streamFields,
  unsupported,
} from "./request-fields.ts";
import { parseSampling, type RequestedSampling } from "./sampling.ts";

/** A chat completion request, checked. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly maxTokens: number | undefined;
  readonly stops: readonly string[];
  readonly sampling: RequestedSampling;
  /** GBNF, from `response_format`. */
  readonly grammar: string | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

const mostMessages = 4096;

/**
 * Reads the body of POST /v1/chat/completions. Throws 400 naming what is wrong or cannot be done. Other fields are let
 * pass, known or not: clients send many that say who asks, or how a provider keeps books, and change no answer.
 */
export function parseChatRequest(body: JsonObject): ChatRequest {
  const model = modelName(body);
  const messages = requiredArray(body, "messages");
  if (messages.length > mostMessages) throw badRequest(`At most ${mostMessages} messages.`, "messages");
  refuseUnsupported(body);
  const bounds = { min: 1, max: Number.MAX_SAFE_INTEGER, integer: true };
  const maxTokens = optionalNumber(body, "max_tokens", bounds);
  return {
    model,
    messages: messages.map(parseMessage),
    maxTokens: optionalNumber(body, "max_completion_tokens", bounds) ?? maxTokens,
    stops: stopStrings(body),
    sampling: parseSampling(body),
    grammar: parseResponseFormat(body),
    ...streamFields(body),
  };
}

/** What would be missing from the answer without a word, were it ignored. */
function refuseUnsupported(body: JsonObject): void {
  onlyOne(body, "n");
  for (const name of ["tools", "functions"]) {
    const list = body[name] ?? [];
    if (!Array.isArray(list)) throw badRequest(`Invalid type for '${name}': expected an array.`, name);
    if (list.length > 0) throw unsupported(name, "they cannot call tools");
  }
  for (const name of ["tool_choice", "function_call"]) {
    const choice = body[name] ?? "none";
    if (choice !== "none" && choice !== "auto") throw unsupported(name, "they cannot call tools");
  }
  if (optionalBoolean(body, "logprobs") === true)
    throw unsupported("logprobs", "they do not report probabilities");
  if ((optionalNumber(body, "top_logprobs", { min: 0, max: 20, integer: true }) ?? 0) > 0) {
    throw unsupported("top_logprobs", "they do not report probabilities");
  }
  const modalities = body.modalities ?? ["text"];
  if (!Array.isArray(modalities) || modalities.some((kind) => kind !== "text")) {
    throw unsupported("modalities", "they answer in text only");
  }
  if (optionalObject(body, "audio") !== undefined) throw unsupported("audio", "they answer in text only");
  if (optionalObject(body, "web_search_options") !== undefined) {
    throw unsupported("web_search_options", "they cannot search");
  }
  const effort = optionalString(body, "reasoning_effort") ?? "none";
  if (effort !== "none") throw unsupported("reasoning_effort", "they have no setting for reasoning");
}

function parseMessage(value: unknown, index: number): ChatMessage {
  const at = `messages[${index}]`;
  if (!isJsonObject(value))
    throw badRequest(`Invalid type for '${at}': expected an object.`, at, "invalid_type");
  const role = parseRole(value.role, at);
  const toolCalls = parseToolCalls(value.tool_calls, at);
  const name = optionalString(value, "name");
  const toolCallId = optionalString(value, "tool_call_id");
  return {
    role,
    content: parseContent(value.content, `${at}.content`, role === "assistant"),
    ...(name === undefined ? {} : { name }),
    ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
    ...(toolCalls === undefined ? {} : { tool_calls: toolCalls }),
  };
}

function parseRole(role: unknown, at: string): ChatMessage["role"] {
  switch (role) {
    case "developer":
      return "system";
    case "system":
    case "user":
    case "assistant":
    case "tool":
      return role;
    case undefined:
      throw missing(`${at}.role`);
    default: {
      const text = "expected 'system', 'developer', 'user', 'assistant' or 'tool'";
      throw badRequest(`Invalid value for '${at}.role': ${text}.`, `${at}.role`, "invalid_value");
    }
  }
}

function parseContent(content: unknown, at: string, mayBeAbsent: boolean): string {
  if (typeof content === "string") return content;
  if (content === undefined || content === null) {
    if (mayBeAbsent) return "";
    throw missing(at);
  }
  if (!Array.isArray(content)) {
    throw badRequest(`Invalid type for '${at}': expected a string or an array of parts.`, at, "invalid_type");
  }
  return content.map((part, index) => parsePart(part, `${at}[${index}]`)).join("");
}

function parsePart(part: unknown, at: string): string {
  if (!isJsonObject(part))
    throw badRequest(`Invalid type for '${at}': expected an object.`, at, "invalid_type");
  const { type, text } = part;
  if (type !== "text") {
    const kind = typeof type === "string" ? `of type '${type.slice(0, 40)}'` : "without a type";
    throw badRequest(`Local models take text only: '${at}' is a part ${kind}.`, at, "unsupported_content");
  }
  if (typeof text !== "string") throw badRequest(`Missing text in '${at}'.`, `${at}.text`, "invalid_type");
  return text;
}

/** Calls of earlier turns, with arguments as values: that is what chat templates print. */
function parseToolCalls(value: unknown, at: string): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  const param = `${at}.tool_calls`;
  if (!Array.isArray(value)) throw badRequest(`Invalid type for '${param}': expected an array.`, param);
  return value.map((call: unknown) => {
    if (!isJsonObject(call) || !isJsonObject(call.function)) {
      throw badRequest(`Invalid '${param}': expected function calls.`, param);
    }
    const { name, arguments: text } = call.function;
    if (typeof name !== "string" || typeof text !== "string") {
      throw badRequest(`Invalid '${param}': a function needs a name and arguments.`, param);
    }
    return { id: call.id, type: "function", function: { name, arguments: parseArguments(text, param) } };
  });
}

function parseArguments(text: string, param: string): unknown {
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest(`Invalid '${param}': the arguments are not valid JSON.`, param);
  }
}

function parseResponseFormat(body: JsonObject): string | undefined {
  const format = optionalObject(body, "response_format");
  if (format === undefined || format.type === "text") return undefined;
  if (format.type === "json_object") return jsonObjectGrammar();
  if (format.type !== "json_schema") {
    const text = "expected 'text', 'json_object' or 'json_schema'";
    throw badRequest(
      `Invalid value for 'response_format.type': ${text}.`,
      "response_format.type",
      "invalid_value",
    );
  }
  const inner = format.json_schema;
  const schema = isJsonObject(inner) ? inner.schema : undefined;
  if (schema === undefined) throw missing("response_format.json_schema.schema");
  return jsonSchemaGrammar(schema);
}
