// The program of polaris-agent-local: `polaris-agent-local [--json] [--state DIR] [FOLDER]`, which
// `polaris-agent dev` runs. Prints where everything is, then readable logs, until Ctrl-C.

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ProjectError, type RunningProject, startProject } from "./dev.ts";

const PARENT_CHECK_MS = 500;
/** Ctrl-C comes from the terminal and once more through npm; what comes together is one. */
const SAME_SIGNAL_MS = 300;

const HELP = `polaris-agent dev [FOLDER]: the official Trigger.dev CLI on this machine, no account needed

  --json         one line of JSON when everything runs, and no logs
  --state DIR    where runs and keys are kept (default: FOLDER/.polaris/dev)
`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      state: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const folder = resolve(positionals[0] ?? ".");
  let running: RunningProject | undefined;
  let ending: number | undefined;
  const end = (code: number): void => {
    const now = Date.now();
    if (ending !== undefined && now - ending < SAME_SIGNAL_MS) return;
    if (ending !== undefined) process.exit(130);
    ending = now;
    if (running === undefined) process.exit(code);
    void running.close().then(() => process.exit(code));
  };
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.on(signal, () => end(code));
  }
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) end(129);
  }, PARENT_CHECK_MS).unref();

  process.stderr.write("polaris-agent: starting the control plane and the Trigger.dev CLI ...\n");
  running = await startProject({
    folder,
    state: resolve(folder, values.state ?? ".polaris/dev"),
    log: values.json
      ? () => undefined
      : (part, line) => {
          if (line.trim() !== "") process.stdout.write(`${part.padEnd(8)} ${line.trimEnd()}\n`);
        },
  });
  void running.ended.then((code) => end(code));
  const { close: _close, ended: _ended, ...facts } = running;
  if (values.json) {
    process.stdout.write(`${JSON.stringify(facts)}\n`);
    return;
  }
  const { controlPlane, convex, worker, variables } = running;
  const lines = [
    "",
    `Trigger.dev   ${controlPlane.url}   (runs, logs, replay)`,
    ...(convex === undefined ? [] : [`Convex        ${convex.url}`]),
    `Tasks         ${worker.tasks.join(", ")}`,
    "",
    "For the application that triggers them:",
    ...Object.entries(variables).map(([name, value]) => `  ${name}=${value}`),
    "",
    "Ctrl-C ends everything.",
    "",
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

main().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`polaris-agent: ${text}\n`);
  process.exit(error instanceof ProjectError ? 2 : 1);
});
