import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, isAbsolute, join } from "node:path";
import { GatewayFailure, gatewayError } from "../../core/error.ts";
import type {
  ListedModel,
  ProtocolName,
  Provider,
  ProviderReply,
  ProviderRequest,
  ProviderTimeouts,
} from "../../engine/ports.ts";
import { HttpUpstream, providerError } from "../http-upstream.ts";
import { type LocalProcess, LocalProcessUnavailable } from "./local-process.ts";
import { modelPathHeaders } from "./model-path-header.ts";
import { promptTokensOf } from "./prompt-tokens-header.ts";
import { readPullReceipt } from "./pull/index.ts";

/** The model that ships with the project. */
export const DEMO_MODEL = "builtin:parallama-demo";

const PATHS: Partial<Record<ProtocolName, string>> = {
  "openai-chat": "/v1/chat/completions",
  "openai-completions": "/v1/completions",
  "openai-embeddings": "/v1/embeddings",
};

export interface LocalProviderOptions {
  readonly name: string;
  readonly modelsDir: string;
  readonly demoModelPath: string;
  readonly process: LocalProcess;
  readonly timeouts: ProviderTimeouts;
  readonly paid: boolean;
  readonly nowMs: () => number;
}

/**
 * Models that run on this machine. To the gateway it is one more provider that speaks OpenAI's protocol; the process
 * behind it is started with the first request.
 */
export class LocalProvider implements Provider {
  readonly name: string;
  readonly paid: boolean;
  readonly tokenPerPiece = true;
  readonly timeouts: ProviderTimeouts;
  readonly #options: LocalProviderOptions;
  readonly #upstream: HttpUpstream;
  /** Where pulled files came from (`hf:owner/repo/path`), as their receipts say, and the file. */
  #pulled: readonly { readonly source: string; readonly file: string }[] = [];

  constructor(options: LocalProviderOptions) {
    this.name = options.name;
    this.paid = options.paid;
    this.timeouts = options.timeouts;
    this.#options = options;
    const { name, timeouts, nowMs } = options;
    const unixSocket = () => this.#socket();
    const common = { provider: name, baseUrl: "http://localhost", headers: {}, timeouts, nowMs };
    this.#upstream = new HttpUpstream({ ...common, unixSocket });
  }

  speaks(protocol: ProtocolName): boolean {
    return PATHS[protocol] !== undefined;
  }

  lacks(model: string): string | undefined {
    if (this.pathOf(model) !== undefined) return undefined;
    if (model.startsWith("hf:")) return `'${model}' has not been pulled`;
    return `there is no file '${basename(model)}' among the local models`;
  }

  /** The process is told the file by a header; the name is only echoed in its answers. */
  nameInBody(_model: string, requested: string): string {
    return requested;
  }

  /** The file of a model: the one that ships with the project, an absolute path, a pulled reference, or a file name. */
  pathOf(model: string): string | undefined {
    const { modelsDir, demoModelPath } = this.#options;
    const file = model === DEMO_MODEL ? demoModelPath : (this.#pulledFile(model) ?? model);
    // A bare name must not lead out of the models' folder.
    const path = isAbsolute(file) ? file : join(modelsDir, basename(file));
    return path.endsWith(".gguf") && existsSync(path) ? path : undefined;
  }

  /** What lies in the models' folder, each file under its name without `.gguf`. */
  async listModels(): Promise<readonly ListedModel[]> {
    const { modelsDir } = this.#options;
    const files = (await readdir(modelsDir).catch(() => [])).filter((file) => file.endsWith(".gguf")).sort();
    const pulled: { source: string; file: string }[] = [];
    const listed: ListedModel[] = [];
    for (const file of files) {
      const path = join(modelsDir, file);
      // Only the first part of a split model is a model.
      if (/-0*([2-9]|[1-9]\d+)-of-\d+\.gguf$/.test(file)) continue;
      const name = file.replace(/(-0*1-of-\d+)?\.gguf$/, "");
      const receipt = await readPullReceipt(modelsDir, name);
      if (receipt !== undefined) pulled.push({ source: receipt.source, file });
      listed.push({ model: file, name, createdAtMs: (await stat(path)).mtimeMs });
    }
    this.#pulled = pulled;
    return listed;
  }

  /** The pulled file that a hub reference of a configuration (`hf:owner/repo:quant`, `hf:owner/repo/file`) means. */
  #pulledFile(reference: string): string | undefined {
    if (!reference.startsWith("hf:")) return undefined;
    const [repository = "", quantisation = ""] = reference.split("@")[0]?.split(/:(?=[^:]*$)/) ?? [];
    const wanted = repository === "hf" ? reference.split("@")[0] : repository;
    const found = this.#pulled.find(({ source, file }) => {
      const isOf = source === wanted || source.startsWith(`${wanted}/`);
      return isOf && (repository === "hf" || file.toLowerCase().includes(quantisation.toLowerCase()));
    });
    return found?.file;
  }

  async send(request: ProviderRequest): Promise<ProviderReply> {
    const path = this.pathOf(request.model);
    if (path === undefined) {
      throw new GatewayFailure(gatewayError("not_configured", "The model's file is not there any more."));
    }
    const headers = { ...request.headers, ...modelPathHeaders(path) };
    const { body, protocol, signal } = request;
    const reply = await this.#upstream.send("POST", PATHS[protocol] ?? "", body, headers, signal);
    const promptTokens = promptTokensOf(reply.headers);
    if (promptTokens === undefined) return reply;
    const { status, headers: answered } = reply;
    const bytes = () => reply.bytes();
    return {
      status,
      headers: answered,
      bytes,
      promptTokens,
      get body() {
        return reply.body;
      },
    };
  }

  readError(status: number, body: Uint8Array, headers: Headers) {
    return providerError(this.name, status, body, headers, this.#options.nowMs());
  }

  async #socket(): Promise<string> {
    try {
      return (await this.#options.process.ready()).socketPath;
    } catch (thrown) {
      if (!(thrown instanceof LocalProcessUnavailable)) throw thrown;
      const retry = thrown.retryInMs === undefined ? {} : { retryAfterMs: thrown.retryInMs };
      throw new GatewayFailure(
        gatewayError("provider_unreachable", "Local models are not available now.", retry),
      );
    }
  }
}
