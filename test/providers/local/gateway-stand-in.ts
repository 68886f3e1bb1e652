/** Stands for a gateway that is about to be killed: starts a worker, prints its process id, and stays. */
import { LocalProcess } from "../../../src/providers/local/local-process.ts";

const supervised = new LocalProcess({ socketPath: process.argv[2] ?? "", threads: 1, maxWaitMs: 60_000 });
await supervised.ready();
console.log(supervised.status().pid);
setInterval(() => {}, 60_000);
