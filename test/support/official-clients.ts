/**
 * The official JavaScript clients, pointed at a gateway. Their own retries are off, so that a test sees each answer
 * once; nothing is read from the environment.
 */
import Anthropic from "@anthropic-ai/sdk";
import { Ollama } from "ollama";
import OpenAI from "openai";

/** `baseUrl` is the gateway's own address, without a path. */
export function openAiClient(baseUrl: string, key: string): OpenAI {
  return new OpenAI({
    apiKey: key,
    baseURL: `${baseUrl}/v1`,
    maxRetries: 0,
    organization: null,
    project: null,
    webhookSecret: null,
  });
}

export function anthropicClient(baseUrl: string, key: string): Anthropic {
  return new Anthropic({ apiKey: key, authToken: null, baseURL: baseUrl, maxRetries: 0 });
}

export function ollamaClient(baseUrl: string, key: string): Ollama {
  return new Ollama({ host: baseUrl, headers: { Authorization: `Bearer ${key}` } });
}
