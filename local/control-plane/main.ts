// Runs the control plane as its own process. The ready line holds its URL and keys.

import { runService } from "../service.ts";
import { type ControlPlaneOptions, startControlPlane } from "./index.ts";

await runService("control-plane", async ({ port, state, flags }) => {
  const options: ControlPlaneOptions = {};
  if (state !== undefined) options.state = state;
  if (port !== undefined) options.port = port;
  if (flags["project-ref"]) options.projectRef = flags["project-ref"];
  if (flags["poll-ms"]) options.pollMs = positive("poll-ms", flags["poll-ms"]);
  if (flags["stall-ms"]) {
    const ms = positive("stall-ms", flags["stall-ms"]);
    options.timeouts = { pendingExecuting: ms, executing: ms, waiting: ms, pendingCancel: ms };
  }
  return startControlPlane(options);
});

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} takes a positive number`);
  return value;
}
