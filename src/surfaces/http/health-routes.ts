import { GatewayFailure } from "../../core/error.ts";

/** How long an answer about Ollama is repeated, so that asking cannot be used to hammer it. */
const OLLAMA_CACHE_MS = 2_000;

export interface HealthPorts {
  readonly version: string;
  readonly startedAtMs: number;
  readonly nowMs: () => number;
  /** Whether the database answers and the journal can write. */
  readonly storageWorks: () => Promise<boolean>;
  /** Whether the process is shutting down, so that a balancer sends nobody here any more. */
  readonly draining: () => boolean;
  /** Asks Ollama for its models; throws when it does not answer; undefined when there is none configured. */
  readonly askOllama: (() => Promise<unknown>) | undefined;
}

export interface Health {
  readonly status: 200 | 503;
  readonly body: Readonly<Record<string, unknown>>;
}

/** `GET /health`: whether this process can do its work. Says nothing that a stranger should not know. */
export async function gatewayHealth(ports: HealthPorts): Promise<Health> {
  const works = (await ports.storageWorks()) && !ports.draining();
  const nowMs = ports.nowMs();
  return {
    status: works ? 200 : 503,
    body: {
      status: works ? "healthy" : "unhealthy",
      service: "api_gateway",
      version: ports.version,
      uptime_seconds: Math.floor((nowMs - ports.startedAtMs) / 1_000),
      timestamp: new Date(nowMs).toISOString(),
    },
  };
}

/** `GET /health/ollama`: whether Ollama answers. */
export function ollamaHealth(ports: HealthPorts): () => Promise<Health> {
  let last: Promise<Health> | undefined;
  let atMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = ports.nowMs();
    if (last === undefined || nowMs - atMs >= OLLAMA_CACHE_MS) {
      atMs = nowMs;
      last = probeOllama(ports);
    }
    return last;
  };
}

async function probeOllama(ports: HealthPorts): Promise<Health> {
  try {
    if (ports.askOllama === undefined) throw new GatewayFailure(UNAVAILABLE);
    await ports.askOllama();
    return { status: 200, body: { status: "healthy", service: "ollama" } };
  } catch {
    return { status: 503, body: { error: { message: UNAVAILABLE.message, type: "api_error" } } };
  }
}

const UNAVAILABLE = { kind: "provider_unreachable", message: "Ollama service unavailable" } as const;
