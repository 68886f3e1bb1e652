import { type Context, Hono } from "hono";
import { type GatewayError, gatewayError, toGatewayError } from "../../core/error.ts";
import type { Principal } from "../../core/principal.ts";
import { ok, type Result, refuse } from "../../core/result.ts";
import { authenticate } from "../../engine/authenticate.ts";
import type { Protocol } from "../../engine/ports.ts";
import { errorResponse, type RouteShape, requestIdHeaders } from "./error-response.ts";
import { gatewayHealth, type HealthPorts, ollamaHealth } from "./health-routes.ts";
import { type InferencePorts, inferenceRoute, type Waits } from "./inference-route.ts";
import { listForClients, listForGateway, listForOllama, showForClients } from "./model-routes.ts";
import { type OllamaRoutePorts, ollamaVersion, showForOllama } from "./ollama-routes.ts";
import { operationRoute, type RunOperation, refuseAdministration } from "./operation-routes.ts";

export interface RouterPorts extends OllamaRoutePorts {
  readonly inference: InferencePorts;
  readonly inferenceRoutes: readonly { readonly path: string; readonly protocol: Protocol }[];
  readonly health: HealthPorts;
  readonly runOperation: RunOperation;
}

/** A connection without traffic is closed after this; an inference that waits for its provider is exempt. */
export const IDLE_TIMEOUT_S = 60;

/** Who may call a route. One without this declaration does not exist: `route` asks for it. */
type Access = "open" | "key" | "admin";

type Handler = (context: Context, principal: Principal) => Promise<Result<unknown> | Response>;

/** A caller of an open route. It has no rights, and handlers of open routes do not look. */
const NOBODY: Principal = {
  accountId: 0,
  accountHandle: null,
  keyId: 0,
  role: "user",
  allowedModels: new Set(),
};

/** Answers HTTP requests. */
export interface Router {
  fetch(request: Request, server?: unknown): Response | Promise<Response>;
  readonly routes: readonly { readonly method: string; readonly path: string }[];
}

/** Every HTTP route of the product. */
export function createRouter(ports: RouterPorts): Router {
  const app = new Hono();
  const route = (method: "GET" | "POST", path: string, shape: RouteShape, access: Access, handler: Handler) =>
    app.on(method, path, (context) => serve(ports, { path, shape, access, handler }, context));

  const inferences = new Map<string, InferenceHandler>();
  for (const { path, protocol } of ports.inferenceRoutes) {
    const handle = inferenceRoute(ports.inference, protocol, path);
    inferences.set(path, handle);
    app.post(path, (context) => handle(context.req.raw, idleTimeout(context.req.raw, context.env)));
  }
  const askOllamaHealth = ollamaHealth(ports.health);
  route("GET", "/health", "gateway", "open", async () => healthResponse(await gatewayHealth(ports.health)));
  route("GET", "/health/ollama", "gateway", "open", async () => healthResponse(await askOllamaHealth()));
  route("GET", "/v1/models", "openai", "key", async ({ req }, principal) =>
    ok(await listForClients(ports, principal, req.raw.headers)),
  );
  route("GET", "/v1/models/:id{.+}", "openai", "key", async ({ req }, principal) =>
    valueOrError(await showForClients(ports, principal, req.raw.headers, req.param("id") ?? "")),
  );
  route("GET", "/api/tags", "ollama", "key", async (_, principal) =>
    ok(await listForOllama(ports, principal)),
  );
  route("POST", "/api/show", "ollama", "key", async ({ req }, principal) =>
    showForOllama(ports, principal, req.raw),
  );
  route("GET", "/api/version", "ollama", "key", async () => ok(await ollamaVersion(ports)));
  route("GET", "/api/models", "gateway", "key", async (_, principal) =>
    ok(await listForGateway(ports, principal)),
  );
  route("POST", "/admin/v1/operations/:name", "gateway", "admin", async ({ req }, principal) =>
    operationRoute(ports.runOperation, req.param("name") ?? "", req.raw, `key:${principal.keyId}`),
  );

  app.notFound((context) => unknownRoute(ports, app, context));
  app.onError((thrown, context) => {
    ports.inference.unexpected("http", thrown);
    return errorResponse(shapeOf(context.req.path), toGatewayError(thrown), ports.inference.newRequestId());
  });
  return {
    routes: app.routes,
    fetch(request, server) {
      // The routes that everything waits for are found by one look-up; Hono finds them too, and all others.
      const inference = request.method === "POST" ? inferences.get(pathOf(request.url)) : undefined;
      if (inference !== undefined) return inference(request, idleTimeout(request, server));
      return app.fetch(request, server as Record<string, unknown>);
    },
  };
}

/**
 * Bun closes a connection that is silent for a while. One that waits for its provider may be; afterwards it may not, or
 * the connections of callers that vanished would pile up.
 */
function idleTimeout(request: Request, server: unknown): Waits {
  return (isWaiting) => {
    (server as Bun.Server<undefined> | undefined)?.timeout?.(request, isWaiting ? 0 : IDLE_TIMEOUT_S);
  };
}

type InferenceHandler = ReturnType<typeof inferenceRoute>;

/** The path of an absolute URL, without parsing the rest of it. */
function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}

interface Route {
  readonly path: string;
  readonly shape: RouteShape;
  readonly access: Access;
  readonly handler: Handler;
}

/** Everything that is not an inference comes through here: access, the answer's form, and its line in the log. */
async function serve(ports: RouterPorts, route: Route, context: Context): Promise<Response> {
  const { inference } = ports;
  const requestId = inference.newRequestId();
  const startedAtMs = inference.clock.now();
  const request = context.req.raw;
  const shape =
    request.headers.get("anthropic-version") !== null && route.shape === "openai" ? "anthropic" : route.shape;
  let principal: Principal | undefined;
  let response: Response;
  try {
    const allowed = admit(inference, route.access, request.headers);
    if (allowed.ok) {
      principal = allowed.value;
      response = render(await route.handler(context, principal), shape, requestId);
    } else {
      response = errorResponse(shape, allowed.error, requestId);
    }
  } catch (thrown) {
    const error = toGatewayError(thrown);
    if (error.kind === "internal") inference.unexpected(route.path, thrown);
    response = errorResponse(shape, error, requestId);
  }
  inference.answered({
    requestId,
    method: context.req.method,
    route: route.path,
    status: response.status,
    latencyMs: inference.clock.now() - startedAtMs,
    keyId: principal?.keyId || null,
    accountId: principal?.accountId || null,
  });
  return response;
}

function admit({ keys }: InferencePorts, access: Access, headers: Headers): Result<Principal> {
  if (access === "open") return ok(NOBODY);
  const known = authenticate(keys, headers);
  if (!known.ok || access === "key") return known;
  const refused = refuseAdministration(known.value);
  return refused === undefined ? known : refuse(refused);
}

function render(result: Result<unknown> | Response, shape: RouteShape, requestId: string): Response {
  if (result instanceof Response) {
    for (const [name, value] of Object.entries(requestIdHeaders(shape, requestId)))
      result.headers.set(name, value);
    return result;
  }
  if (!result.ok) return errorResponse(shape, result.error, requestId);
  return Response.json(result.value, { headers: requestIdHeaders(shape, requestId) });
}

function healthResponse({ status, body }: { status: number; body: unknown }): Response {
  return Response.json(body, { status });
}

function valueOrError(value: GatewayError | Readonly<Record<string, unknown>>): Result<unknown> {
  return "kind" in value && "message" in value ? refuse(value as GatewayError) : ok(value);
}

/** 404, or 405 where the path is served with another method, in the shape of the path's group. */
function unknownRoute(ports: RouterPorts, app: Hono, context: Context): Response {
  const requestId = ports.inference.newRequestId();
  const { path, method } = context.req;
  const shape = shapeOf(path);
  const methods = app.routes.filter((route) => matches(route.path, path)).map((route) => route.method);
  if (methods.length === 0) {
    return errorResponse(
      shape,
      gatewayError("not_found", `There is no route ${method} ${path.slice(0, 200)}.${hintFor(ports, path)}`),
      requestId,
    );
  }
  const error = gatewayError(
    "method_not_allowed",
    `${path} is served with ${methods.join(" and ")}, not with ${method}.`,
  );
  const response = errorResponse(shape, error, requestId);
  response.headers.set("allow", methods.join(", "));
  return response;
}

/** What a client with a slightly wrong address, or a newer API, should do instead. */
function hintFor(ports: RouterPorts, path: string): string {
  if (path.startsWith("/v1/responses"))
    return " The Responses API is not available yet; use /v1/chat/completions.";
  const known = [...ports.inferenceRoutes.map((route) => route.path), "/v1/models"];
  if (known.includes(`/v1${path}`)) return " The base URL of OpenAI's clients ends in /v1.";
  if (path.startsWith("/v1/v1/")) return " The base URL of Anthropic's clients is without /v1.";
  return "";
}

function matches(pattern: string, path: string): boolean {
  if (!pattern.includes(":")) return pattern === path;
  const start = pattern.slice(0, pattern.indexOf(":"));
  return path.startsWith(start) && path.length > start.length;
}

const OLLAMA_PATHS = new Set([
  "/api/chat",
  "/api/generate",
  "/api/embed",
  "/api/tags",
  "/api/show",
  "/api/version",
]);

/** The error shape of a path, also of one that does not exist. */
function shapeOf(path: string): RouteShape {
  if (path.startsWith("/v1/messages")) return "anthropic";
  if (path.startsWith("/v1/")) return "openai";
  return OLLAMA_PATHS.has(path) ? "ollama" : "gateway";
}
