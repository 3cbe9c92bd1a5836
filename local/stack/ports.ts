// Which ports the services of a state folder had, so that URLs stay the same from start to start.

import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServiceName } from "./services.ts";

const PORTS_FILE = "ports.json";

export async function readPorts(state: string): Promise<Partial<Record<ServiceName, number>>> {
  try {
    const value: unknown = JSON.parse(await readFile(join(state, PORTS_FILE), "utf8"));
    const entries = Object.entries(value ?? {}).filter(([, port]) => Number.isInteger(port));
    return Object.fromEntries(entries) as Partial<Record<ServiceName, number>>;
  } catch {
    return {};
  }
}

export async function writePorts(
  state: string,
  ports: Readonly<Record<string, number>>,
): Promise<void> {
  const draft = join(state, `${PORTS_FILE}.${process.pid}`);
  await writeFile(draft, `${JSON.stringify(ports)}\n`);
  await rename(draft, join(state, PORTS_FILE));
}
