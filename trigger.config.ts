// What the Trigger.dev CLI and runtime need to know. How a task behaves stands in its own file.

import type { BuildExtension } from "@trigger.dev/build";
import { defineConfig } from "@trigger.dev/sdk";
import { polarisAgent } from "polaris-agent/trigger";
import { variable } from "./trigger/variables.ts";

const MAX_DURATION_S = 3_600;

export default defineConfig({
  // Without the variable the runner answers that there is no such project, and thereby names it.
  project: variable("TRIGGER_PROJECT_REF") ?? "proj_set_TRIGGER_PROJECT_REF",
  dirs: ["./trigger"],
  runtime: "node",
  maxDuration: MAX_DURATION_S,
  retries: {
    enabledInDev: true,
    default: {
      maxAttempts: 3,
      factor: 2,
      minTimeoutInMs: 1_000,
      maxTimeoutInMs: 60_000,
      randomize: true,
    },
  },
  // A warm process answers a run seven to ten times sooner than a new one (measured: 87 ms against
  // 584 to 860 ms until the first line of a task). It is safe because a run leaves nothing behind:
  // all state of the addon belongs to a run and ends with it.
  processKeepAlive: true,
  build: {
    extensions: [polarisAgent(), sourceMaps()],
  },
});

/**
 * Uploads source maps at deployment, so that Sentry shows our lines; without a token it does nothing.
 * The plugin is loaded only then, by a name that the bundler does not follow: this file is part of
 * what runs in the worker too.
 */
function sourceMaps(): BuildExtension {
  return {
    name: "sentry-source-maps",
    async onBuildStart(context) {
      const authToken = variable("SENTRY_AUTH_TOKEN");
      const org = variable("SENTRY_ORG");
      const project = variable("SENTRY_PROJECT");
      if (context.target !== "deploy" || !authToken || !org || !project) return;
      const name = "@sentry/esbuild-plugin";
      const plugin: typeof import("@sentry/esbuild-plugin") = await import(name);
      context.registerPlugin(
        plugin.sentryEsbuildPlugin({ authToken, org, project, telemetry: false }),
        { placement: "last", target: "deploy" },
      );
    },
  };
}
