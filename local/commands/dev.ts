// npm run dev: the two processes that a team with accounts runs, the Next.js app and the official
// Trigger.dev CLI, with what `.env.local` names. No stand-in is started here: that is npm start.

import { join } from "node:path";
import { type App, freePort, startApp } from "../app/index.ts";
import type { Cli } from "../control-plane/cli.ts";
import { startStackCli } from "../stack/cli.ts";
import { realService, type ServiceName } from "../stack/services.ts";
import { readSettings } from "./env-file.ts";
import { bold, describe, dim, onInterrupt, ROOT, STATE } from "./lifecycle.ts";

const APP_PORT = 3000;
/** Without these there is nothing to talk to. */
const NEEDED: readonly ServiceName[] = ["convex", "control-plane"];
const VARIABLES: Readonly<Record<string, string>> = {
  convex: "NEXT_PUBLIC_CONVEX_URL",
  "control-plane": "TRIGGER_SECRET_KEY",
};

function log(part: string, line: string): void {
  const text = line.trimEnd();
  if (text !== "") process.stdout.write(`${dim(part.padEnd(8))} ${text}\n`);
}

async function main(): Promise<void> {
  const env = await readSettings();
  const missing = NEEDED.filter((name) => realService(name, env) === undefined);
  if (missing.length > 0) {
    const names = missing.map((name) => VARIABLES[name]).join(", ");
    throw new Error(
      `${names} ${missing.length === 1 ? "is" : "are"} not set in .env.local. Set what you have; npm start uses a stand-in for the rest.`,
    );
  }
  let app: App | undefined;
  let cli: Cli | undefined;
  let ending = false;
  const end = async (code: number): Promise<never> => {
    ending = true;
    await Promise.all([app?.close(), cli?.close()]);
    process.exit(code);
  };
  onInterrupt(() => void end(0));
  const settle = async <T extends { exited: Promise<unknown> }>(name: string, part: T) => {
    void part.exited.then(() => {
      if (ending) return;
      process.stderr.write(`polaris: ${name} has ended\n`);
      void end(1);
    });
    return part;
  };
  try {
    const port = await freePort(APP_PORT);
    const line = (part: string) => (text: string) => log(part, text);
    [app, cli] = await Promise.all([
      startApp({ mode: "development", port, env, log: line("app") }).then((started) =>
        settle("the app", started),
      ),
      startStackCli({
        cwd: ROOT,
        home: join(STATE, "home"),
        env,
        controlPlane: undefined,
        log: line("worker"),
      }).then((started) => settle("the Trigger.dev CLI", started)),
    ]);
  } catch (error) {
    process.stderr.write(`polaris: ${describe(error)}\n`);
    return await end(1);
  }
  process.stdout.write(`\nReady: ${bold(app.url)}. Ctrl-C ends both.\n\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`polaris: ${describe(error)}\n`);
  process.exit(1);
});
