/**
 * The process that runs local models: OpenAI's protocol on a Unix socket, llama.cpp inside.
 * Started by LocalProcess; it ends when its standard input closes, that is, when its parent is gone.
 */
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { emitWorkerEvent, internalErrorEvent } from "./worker-event.ts";
import { startWorkerServer } from "./worker-server.ts";
import { parseWorkerSettings } from "./worker-settings.ts";

async function main(): Promise<void> {
  const settings = parseWorkerSettings(process.argv.slice(2));
  void endWithParent();
  const llama = await getLlama({
    gpu: settings.gpu,
    // Nothing is compiled or downloaded while serving.
    build: "never",
    skipDownload: true,
    progressLogs: false,
    maxThreads: settings.threads,
    logLevel: LlamaLogLevel.warn,
    logger: (_level, message) => {
      const text = message.trim();
      if (text !== "") emitWorkerEvent({ event: "warning", message: text.slice(0, 500) });
    },
  });
  const server = startWorkerServer(llama, settings);
  // A signal may go to the whole process group or service: the gateway then still finishes its requests,
  // and needs this process for that. So it leaves when idle; what should be quicker uses SIGKILL.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {
    void server.idle().then(() => server.stop().finally(endNow));
  });
  emitWorkerEvent({ event: "ready", pid: process.pid });
}

async function endWithParent(): Promise<void> {
  for await (const _ of Bun.stdin.stream()) {
    // Nothing is ever sent.
  }
  endNow();
}

/** Ends without running native destructors, which wait for an evaluation that is still under way. */
function endNow(): void {
  process.kill(process.pid, "SIGKILL");
}

process.on("unhandledRejection", (thrown) => emitWorkerEvent(internalErrorEvent(thrown)));

main().catch((thrown: unknown) => {
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  emitWorkerEvent({ event: "warning", message: `cannot start: ${reason.slice(0, 500)}` });
  process.exitCode = 1;
  setTimeout(endNow, 1000);
});
