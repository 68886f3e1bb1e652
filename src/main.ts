import { runCli } from "./surfaces/cli/run-cli.ts";
import { systemIo } from "./surfaces/cli/system-io.ts";

const io = systemIo();
const exitCode = await runCli(process.argv.slice(2), io);
await io.flush();
process.exit(exitCode);
