/** An address that swallows connections: what a host behind a dropping firewall looks like. */
import { connect, type Socket } from "node:net";
import { within } from "../../support/within.ts";

/** More than any backlog that a runtime asks for by default. */
const MORE_THAN_THE_BACKLOG = 1_024;

const LISTEN = `const server = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data() {} } });
console.log(server.port);`;

/** A process that listens and is stopped, and whose backlog is full: the kernel drops further connections. */
export async function stoppedListener(): Promise<{ url: string } & AsyncDisposable> {
  const child = Bun.spawn([process.execPath, "--eval", LISTEN], { stdout: "pipe" });
  const read = await within("a port of the child", child.stdout.getReader().read());
  const port = Number(new TextDecoder().decode(read.value));
  child.kill("SIGSTOP");
  const sockets: Socket[] = [];
  for (let i = 0; i < MORE_THAN_THE_BACKLOG; i++) {
    sockets.push(connect({ port, host: "127.0.0.1" }).on("error", () => undefined));
  }
  await within(
    "the first connection",
    new Promise<void>((resolve) => sockets[0]?.once("connect", () => resolve())),
  );
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
