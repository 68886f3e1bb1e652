import { chmodSync, lstatSync, rmSync } from "node:fs";
import { basename } from "node:path";
import type { Llama } from "node-llama-cpp";
import { readGgufSummary } from "../gguf.ts";
import { decodeModelPath, modelPathHeader } from "../model-path-header.ts";
import { ApiError, badRequest, errorResponse } from "./api-error.ts";
import { embeddingsAnswer, parseEmbeddingsRequest } from "./embeddings-request.ts";
import { LoadedModel, type ModelStatus } from "./loaded-model.ts";
import { ModelStore } from "./model-store.ts";
import { type JsonObject, parseJsonObject } from "./request-fields.ts";
import { chatRoute, completionRoute, type RouteContext } from "./text-routes.ts";
import { emitWorkerEvent, internalErrorEvent } from "./worker-event.ts";
import type { WorkerSettings } from "./worker-settings.ts";

const largestBodyBytes = 32 * 1024 * 1024;
const idleCheckMs = 20;

/**
 * A model may think for minutes before its first token. Bun's types do not have this option for Unix sockets,
 * hence the wide type, but it counts there too (10 s if unset), and `server.timeout` does not change it.
 */
const noIdleTimeout: object = { idleTimeout: 0 };

/** What GET /health answers. */
export interface WorkerHealth {
  readonly status: "ok";
  readonly pid: number;
  readonly maxLoadedModels: number;
  /** Requests that wait for another model to be unloaded. */
  readonly waiting: number;
  readonly models: readonly ModelStatus[];
}

export interface WorkerServer {
  /** Resolves as soon as no request is under way. */
  idle(): Promise<void>;
  /** Stops listening and removes the socket. Requests under way are cut off. */
  stop(): Promise<void>;
}

type Route = (body: JsonObject, context: RouteContext) => Promise<Response>;

/** Serves OpenAI's protocol on the Unix socket. Throws if the socket cannot be created. */
export function startWorkerServer(llama: Llama, settings: WorkerSettings): WorkerServer {
  const store = createStore(llama, settings);
  const post = new Map<string, Route>([
    ["/v1/chat/completions", chatRoute],
    ["/v1/completions", completionRoute],
    ["/v1/embeddings", embeddingsRoute],
  ]);

  const handle = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const { method } = request;
    if (method === "GET" && pathname === "/health") return Response.json(health(store, settings));
    if (method === "GET" && pathname === "/v1/models") return Response.json(modelList(store));
    if (method === "POST" && pathname === "/load") return await loadRoute(request, store);
    const route = method === "POST" ? post.get(pathname) : undefined;
    if (route === undefined) {
      const fields = { status: 404, type: "invalid_request_error", code: "unknown_url" };
      throw new ApiError(`Unknown request URL: ${method} ${pathname}.`, fields);
    }
    const body = parseJsonObject(await request.text());
    return await route(body, { store, modelPath: modelPath(request), signal: request.signal });
  };

  removeStaleSocket(settings.socketPath);
  // The socket must never be open to others, not even between its creation and the chmod below.
  process.umask(0o177);
  const server = Bun.serve({
    unix: settings.socketPath,
    maxRequestBodySize: largestBodyBytes,
    fetch: (request: Request) => handle(request).catch((thrown: unknown) => failed(request, thrown)),
    ...noIdleTimeout,
  });
  chmodSync(settings.socketPath, 0o600);
  return {
    idle: async () => {
      while (server.pendingRequests > 0) await Bun.sleep(idleCheckMs);
    },
    stop: async () => {
      await server.stop(true);
      rmSync(settings.socketPath, { force: true });
    },
  };
}

function createStore(llama: Llama, settings: WorkerSettings): ModelStore<LoadedModel> {
  return new ModelStore({
    maxLoadedModels: settings.maxLoadedModels,
    maxLeasesPerModel: settings.slots + settings.maxQueued,
    maxWaiting: settings.maxQueued,
    onUnloaded: (path) => emitWorkerEvent({ event: "model-unloaded", path }),
    load: async (path, version) => {
      const startedAtMs = performance.now();
      try {
        // Says what is wrong in a moment, where the library tries a damaged file again for a quarter of a minute.
        await readGgufSummary(path);
        const model = await LoadedModel.load(llama, path, version, settings);
        const loadMs = Math.round(performance.now() - startedAtMs);
        emitWorkerEvent({ event: "model-loaded", path, loadMs, contextTokens: model.contextTokens });
        return model;
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message.slice(0, 500) : String(thrown);
        emitWorkerEvent({ event: "model-failed", path, reason });
        throw new ApiError("The model's file cannot be loaded: it is damaged, not supported, or too large.", {
          status: 500,
          type: "server_error",
          param: "model",
          code: "model_load_failed",
        });
      }
    },
  });
}

function modelPath(request: Request): string {
  const header = request.headers.get(modelPathHeader);
  if (header === null || header === "") throw badRequest(`The header ${modelPathHeader} is missing.`);
  const path = decodeModelPath(header);
  if (path === undefined) throw badRequest(`The header ${modelPathHeader} is not percent-encoded.`);
  return path;
}

/** POST /load: the model in memory, with its context, before anybody asks it something. */
async function loadRoute(request: Request, store: ModelStore<LoadedModel>): Promise<Response> {
  const lease = await store.lease(modelPath(request), request.signal);
  try {
    await lease.model.warmUp();
    return Response.json({ status: "loaded", ...lease.model.status() });
  } finally {
    lease.release();
  }
}

/** POST /v1/embeddings */
async function embeddingsRoute(body: JsonObject, context: RouteContext): Promise<Response> {
  const request = parseEmbeddingsRequest(body);
  const lease = await context.store.lease(context.modelPath, context.signal);
  try {
    const several = request.inputs.length > 1;
    const inputs = request.inputs.map((input, index) =>
      lease.model.embeddingInput(input, several ? `input[${index}]` : "input"),
    );
    const { vectors, promptTokens } = await lease.model.embed(inputs, context.signal);
    return Response.json(embeddingsAnswer(request, vectors, promptTokens));
  } finally {
    lease.release();
  }
}

function health(store: ModelStore<LoadedModel>, settings: WorkerSettings): WorkerHealth {
  return {
    status: "ok",
    pid: process.pid,
    maxLoadedModels: settings.maxLoadedModels,
    waiting: store.waiting,
    models: store.loaded().map((model) => model.status()),
  };
}

function modelList(store: ModelStore<LoadedModel>): object {
  const data = store.loaded().map((model) => ({
    id: basename(model.path, ".gguf"),
    object: "model",
    created: 0,
    owned_by: "local",
  }));
  return { object: "list", data };
}

function failed(request: Request, thrown: unknown): Response {
  const expected = thrown instanceof ApiError || request.signal.aborted;
  if (!expected) emitWorkerEvent(internalErrorEvent(thrown));
  return errorResponse(thrown);
}

/** Removes what an earlier process left. Throws if something else than a socket has that name. */
function removeStaleSocket(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new Error(`${path} exists and is not a socket`);
  rmSync(path);
}
