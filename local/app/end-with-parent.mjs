// Preloaded into Next.js: the server and its children end when its standard input does, a pipe that only
// the process which started it holds open. It leads a process group of its own, so that one signal
// reaches them all; asked kindly, `next dev` would leave a process behind.

import { fstatSync } from "node:fs";

function end() {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    process.kill(process.pid, "SIGKILL");
  }
}

/** Children of Next.js inherit the preload, but no pipe. */
function isPipe() {
  try {
    const stats = fstatSync(0);
    return stats.isFIFO() || stats.isSocket();
  } catch {
    return false;
  }
}

if (isPipe()) {
  process.stdin.on("end", end);
  process.stdin.on("error", end);
  process.stdin.resume();
  process.stdin.unref?.();
}
