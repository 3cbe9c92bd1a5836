// Control groups of Linux with the limits of a machine: memory, without swap, and processor time. Made
// below the groups that this process is in, so that the limits around it hold too.

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MOUNT = "/sys/fs/cgroup";
const PERIOD_US = 100_000;

export interface Limits {
  bytes: number;
  /** Processors; may be less than one. */
  cpus: number;
}

export interface Groups {
  /** Whoever writes its process id into `cgroup.procs` of each of them has the limits. */
  readonly folders: readonly string[];
  /** The most memory that was in use, bytes; it counts files that the kernel keeps. */
  peakBytes(): number;
  /** Processes that the kernel has killed for want of memory. */
  killed(): number;
  close(): void;
}

/** What keeps groups from being made here is thrown, in words. */
export function makeGroups(name: string, { bytes, cpus }: Limits): Groups {
  const quota = Math.round(cpus * PERIOD_US);
  if (existsSync(join(MOUNT, "cgroup.controllers"))) {
    const folder = make(own(""), name);
    write(folder, "memory.max", bytes);
    if (existsSync(join(folder, "memory.swap.max"))) write(folder, "memory.swap.max", 0);
    write(folder, "cpu.max", `${quota} ${PERIOD_US}`);
    return groups([folder], "memory.peak", "memory.events");
  }
  const memory = make(own("memory"), name);
  write(memory, "memory.limit_in_bytes", bytes);
  const swap = "memory.memsw.limit_in_bytes";
  if (existsSync(join(memory, swap))) write(memory, swap, bytes);
  const cpu = make(own("cpu"), name);
  write(cpu, "cpu.cfs_period_us", PERIOD_US);
  write(cpu, "cpu.cfs_quota_us", quota);
  return groups([memory, cpu], "memory.max_usage_in_bytes", "memory.oom_control");
}

function groups(folders: string[], peak: string, events: string): Groups {
  const [memory = ""] = folders;
  return {
    folders,
    peakBytes: () => Number(readFileSync(join(memory, peak), "utf8")),
    killed: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(join(memory, events), "utf8"))?.[1]),
    close: () => {
      for (const folder of folders) rmdirSync(folder);
    },
  };
}

/** The group of this process for a controller; `""` names the one tree of version 2. */
function own(controller: string): string {
  for (const line of readFileSync("/proc/self/cgroup", "utf8").split("\n")) {
    const [, names = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names.split(",").includes(controller)) {
      const folder = join(MOUNT, controller, path);
      // In a container, the group may be mounted as the root.
      return existsSync(folder) ? folder : join(MOUNT, controller);
    }
  }
  throw new Error(`this process is in no control group for ${controller || "anything"}`);
}

function make(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  return folder;
}

function write(folder: string, file: string, value: string | number): void {
  writeFileSync(join(folder, file), String(value));
}
