// Child processes of the scripts: started, listened to, and ended with us. Plain Node, because this
// runs before anything is installed.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Process groups that are ours to end. */
const running = new Set();
/** Ctrl-C reaches us from the terminal and once more through npm: what comes together is one. */
const SAME_SIGNAL_MS = 300;
const PARENT_CHECK_MS = 500;

function endAll(signal) {
  for (const child of running) {
    try {
      process.kill(-child.pid, signal);
    } catch {
      child.kill(signal);
    }
  }
}

let handling = false;
function handleSignals() {
  if (handling) return;
  handling = true;
  let first;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ]) {
    process.on(signal, () => {
      // Nothing of ours runs any more, and who goes on in this process ends it in its own order.
      if (running.size === 0 && process.listenerCount(signal) > 1) return;
      const now = Date.now();
      if (first !== undefined && now - first < SAME_SIGNAL_MS) return;
      endAll(first === undefined ? signal : "SIGKILL");
      first ??= now;
      process.exitCode = code;
      if (running.size === 0) process.exit(code);
    });
  }
  process.on("exit", () => endAll("SIGKILL"));
  onParentGone(() => {
    endAll("SIGKILL");
    process.exit(143);
  });
}

/**
 * Calls back once when the process that started us (npm, behind its shell or not) is gone: whoever
 * kills it wants us gone too.
 */
export function onParentGone(callback) {
  const parent = process.ppid;
  const grandparent = shellParent(parent);
  if (parent <= 1) return;
  const timer = setInterval(() => {
    if (process.ppid === parent && (grandparent === undefined || isAlive(grandparent))) return;
    clearInterval(timer);
    callback();
  }, PARENT_CHECK_MS);
  timer.unref();
}

/** npm starts scripts through a shell; some shells stay in between. */
function shellParent(pid) {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const match = /^\d+ \((.*)\) \S (\d+)/s.exec(stat);
    return match !== null && /^(sh|dash|bash|zsh)$/.test(match[1]) ? Number(match[2]) : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * Runs a command to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, quiet?: boolean, onLine?: (line: string) => void,
 *   toStderr?: boolean }} options `quiet` collects the output instead of showing it; `onLine` sees
 *   each line of standard output as it is shown
 * @returns {Promise<{ code: number, output: string, errors: string }>} what was collected, by stream;
 *   code 127 when there is no such command
 */
export function run(command, args, options = {}) {
  handleSignals();
  const { cwd, env = process.env, quiet = false, onLine, toStderr = false } = options;
  const shown = toStderr ? process.stderr : process.stdout;
  return new Promise((settle) => {
    const child = spawn(command, args, {
      cwd,
      env,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    let output = "";
    let errors = "";
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      if (quiet) output += text;
      else shown.write(text);
      if (onLine === undefined) return;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      if (quiet) errors += text;
      else process.stderr.write(text);
    });
    child.on("error", (error) => {
      running.delete(child);
      settle({ code: 127, output: "", errors: `${command}: ${error.message}` });
    });
    child.on("close", (code) => {
      running.delete(child);
      if (rest !== "") onLine?.(rest);
      // A signal ended us, not only this command: there is no next step.
      if (process.exitCode !== undefined && process.exitCode >= 128) process.exit();
      settle({ code: code ?? 1, output, errors });
    });
  });
}
