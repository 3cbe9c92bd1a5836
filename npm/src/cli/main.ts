// The command line program `polaris-agent`: names its commands and hands over to them.

import { unsupportedNode } from "../native.ts";
import { packageVersion } from "../version.ts";
import { dev } from "./dev.ts";
import { init } from "./init/index.ts";

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = { dev, init };

const HELP = `polaris-agent: background AI jobs on Trigger.dev and Convex

  npx polaris-agent dev    the official Trigger.dev CLI on this machine, no account needed
  npx polaris-agent init   moves a Next.js + Convex project over; shows the diff first (--yes applies it)

  --help, --version
`;

const [name = "--help", ...args] = process.argv.slice(2);
const command = COMMANDS[name];
const wrongNode = unsupportedNode();
if (wrongNode !== undefined) {
  process.stderr.write(`${wrongNode}\n`);
  process.exitCode = 1;
} else if (command !== undefined) {
  process.exitCode = await command(args);
} else if (name === "--version" || name === "-v") {
  process.stdout.write(`${packageVersion}\n`);
} else if (name === "--help" || name === "-h" || name === "help") {
  process.stdout.write(HELP);
} else {
  process.stderr.write(`polaris-agent: there is no command ${name}\n\n${HELP}`);
  process.exitCode = 2;
}
