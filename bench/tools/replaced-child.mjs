// The replaced tools on a project in memory: the same lines as polaris-bench-tools.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { TOOLS } from "./replaced.mjs";

const files = JSON.parse(readFileSync(process.argv[2], "utf8"));
const rows = Object.entries(files).map(([path, content]) => ({ path, content }));

for await (const line of createInterface({ input: process.stdin })) {
  const { op, tool, args, path, content } = JSON.parse(line);
  const begin = performance.now();
  let answer = {};
  if (op === "call") answer = { text: TOOLS[tool](rows, args).join("\n") };
  else if (op === "write") rows.find((row) => row.path === path).content = content;
  const ms = performance.now() - begin;
  const memory = op === "memory" ? { own: peakKib() } : {};
  process.stdout.write(`${JSON.stringify({ ms, ...answer, ...memory })}\n`);
}

function peakKib() {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
}
