// What the machine is, and what a process tree on it has used: Linux's /proc, so the benchmark runs on Linux only.
import { dlopen, FFIType, ptr } from "bun:ffi";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // the process ended between listing and reading
  }
};

/** The process and everything it started, by their parents in /proc. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    // The command's name stands in parentheses and may itself contain some; what follows the last one is fixed.
    const stat = read(`/proc/${pid}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

const clockOfProcess = openProcessClock();

/**
 * /proc/<pid>/stat counts user plus system time in ticks of 10 ms, which is 5 % of what a light subject uses in
 * a round. The kernel's CPU clock of the process is the same sum (all threads, ended ones too) in nanoseconds.
 */
function openProcessClock(): ((pid: number) => number | undefined) | undefined {
  for (const library of ["libc.so.6", "libc.so"]) {
    try {
      const libc = dlopen(library, {
        clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
      });
      const time = new BigInt64Array(2);
      const address = ptr(time);
      return (pid) => {
        // CPUCLOCK_SCHED of another process: the one's complement of the pid above three bits of kind.
        if (libc.symbols.clock_gettime((~pid << 3) | 2, address) !== 0) return undefined;
        return Number(time[0] ?? 0n) + Number(time[1] ?? 0n) / 1e9;
      };
    } catch {
      // Another libc, or none to load: /proc does it less exactly.
    }
  }
  return undefined;
}

const TICKS_PER_SECOND = 100;

/** User plus system time of one process in seconds. */
function cpuSecondsOf(pid: number): number {
  const exact = clockOfProcess?.(pid);
  if (exact !== undefined) return exact;
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

/** User plus system time of a process and all its descendants, in seconds. */
export function cpuSeconds(root: number): number {
  return processTree(root).reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
}

export type Memory = { rssMb: number; pssMb: number };

export function memoryOf(root: number): Memory {
  let rss = 0;
  let pss = 0;
  for (const pid of processTree(root)) {
    rss += Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
    pss += Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  }
  return { rssMb: rss / 1024, pssMb: pss / 1024 };
}

export type CoreTime = { busy: number; steal: number };

/** Busy and stolen seconds of one core since boot. Only differences mean anything. */
export function coreTime(core: number): CoreTime {
  const fields = (new RegExp(`^cpu${core} (.*)$`, "m").exec(read("/proc/stat"))?.[1] ?? "")
    .split(" ")
    .map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return {
    busy: (user + nice + system + irq + softirq) / TICKS_PER_SECOND,
    steal: steal / TICKS_PER_SECOND,
  };
}

/** Open files this process, and so what it starts, may have. */
export function openFilesLimit(): number {
  const line = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read("/proc/self/limits"));
  return line?.[2] === "unlimited" ? Number.POSITIVE_INFINITY : Number(line?.[2] ?? 1024);
}

export const SUBJECT_CORE = 0;

/** The cores left for the load and the upstream; empty where nothing can be pinned. */
export function otherCores(): string {
  const count = cpus().length;
  if (count < 2 || Bun.which("taskset") === null) return "";
  return count === 2 ? "1" : `1-${count - 1}`;
}

/** Moves this process with all its threads; new threads and children inherit it. */
export function pinSelf(cores: string): void {
  if (cores === "") return;
  Bun.spawnSync(["taskset", "-acp", cores, String(process.pid)], { stdout: "ignore", stderr: "ignore" });
}

export type Facts = Record<string, string>;

function versionOf(command: string[]): string {
  if (Bun.which(command[0] ?? "") === null) return "not installed";
  const result = Bun.spawnSync(command, { stdout: "pipe", stderr: "pipe" });
  return `${result.stdout}${result.stderr}`.trim().split("\n")[0] ?? "";
}

export function machineFacts(): Facts {
  const cores = otherCores();
  const virtual = /^flags.*\bhypervisor\b/m.test(read("/proc/cpuinfo"));
  return {
    date: new Date().toISOString(),
    cpu: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores${virtual ? ", virtual machine" : ""}`,
    memory: `${(totalmem() / 1024 ** 3).toFixed(1)} GB`,
    kernel: release(),
    bun: Bun.version,
    nginx: versionOf(["nginx", "-v"]),
    node: versionOf(["node", "--version"]),
    openFiles: String(openFilesLimit()),
    pinning:
      cores === ""
        ? "none: needs taskset and two cores, so figures include fighting over cores"
        : `subject on core ${SUBJECT_CORE}, load and upstream on core ${cores}`,
    cpuClock: clockOfProcess === undefined ? "/proc/<pid>/stat, 10 ms ticks" : "CPU clock of the process, ns",
    commit: existsSync(".git") ? versionOf(["git", "rev-parse", "--short", "HEAD"]) : "unknown",
  };
}
