// The Convex host as a process of its own:
//   node --import tsx local/convex/main.ts --port N --state DIR [--functions DIR] [--redact]
// Without `--state` everything is kept in a temporary folder that goes with the process.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { runService } from "../service.ts";
import { startHost } from "./server/host.ts";

const APP_FUNCTIONS = fileURLToPath(new URL("../../app/convex", import.meta.url));

process.setSourceMapsEnabled(true);
// A promise that a function forgot to await must not take the host down.
process.on("unhandledRejection", (reason) => {
  process.stderr.write(`unhandled rejection in a function: ${String(reason)}\n`);
});

await runService("convex", async ({ port, state, flags }) => {
  const folder = state ?? (await mkdtemp(join(tmpdir(), "polaris-convex-")));
  const host = await startHost({
    ...(port === undefined ? {} : { port }),
    state: folder,
    functions: resolve(flags.functions ?? APP_FUNCTIONS),
    redact: flags.redact === "true",
  });
  const { url, adminKey, internalKey } = host;
  return {
    url,
    info: { adminKey, internalKey },
    close: async () => {
      await host.close();
      if (state === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
});
