// npm run say -- "text": one message of a conversation, in the terminal. Talks to the stack that
// `npm start` runs, else to a private one that is thrown away. The answer goes to stdout as it
// streams, everything else to stderr; Ctrl-C cancels the message, a second one leaves.

import { parseArgs } from "node:util";
import { type Stack, startStack } from "../stack/index.ts";
import { toolLine } from "./format.ts";
import {
  codeOf,
  describe,
  dim,
  green,
  onInterrupt,
  privateBranch,
  red,
  STATE,
  throwAwayState,
} from "./lifecycle.ts";
import { findRunningStack, type RunningStack } from "./stack-file.ts";
import { watchMessage } from "./watch-message.ts";

const USAGE = `Usage: npm run say -- "text" [--project ID] [--conversation ID]

Sends the text as a message and prints the answer as it streams. Ctrl-C cancels.
  --conversation ID   which conversation (default: the demo project's)
  --project ID        a new conversation in this project
`;

const EXIT_CODES = { completed: 0, failed: 1, cancelled: 130 } as const;

function arguments_(): { text: string; project?: string; conversation?: string } | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        project: { type: "string" },
        conversation: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    const text = positionals.join(" ").trim();
    if (values.help === true || text === "") return undefined;
    return {
      text,
      ...(values.project === undefined ? {} : { project: values.project }),
      ...(values.conversation === undefined ? {} : { conversation: values.conversation }),
    };
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    return undefined;
  }
}

interface Target {
  env: Record<string, string>;
  seeded: RunningStack["seeded"];
  close: () => Promise<void>;
}

async function target(signal: AbortSignal): Promise<Target> {
  const running = await findRunningStack(STATE);
  if (running !== undefined) {
    return { env: running.env, seeded: running.seeded, close: () => Promise.resolve() };
  }
  process.stderr.write(
    dim("No stack is running (npm start): starting a private one for this message ...\n"),
  );
  const state = await throwAwayState();
  let stack: Stack;
  try {
    stack = await startStack({ state: state.path, branch: privateBranch("say"), signal });
  } catch (error) {
    await state.dispose();
    throw error;
  }
  return {
    env: { ...stack.env },
    seeded: stack.seeded,
    close: async () => {
      await stack.close();
      await state.dispose();
    },
  };
}

async function main(): Promise<number> {
  const asked = arguments_();
  if (asked === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  let close: () => Promise<void> = () => Promise.resolve();
  let cancel: (() => void) | undefined;
  const starting = new AbortController();
  onInterrupt(
    (signal) => {
      process.exitCode = codeOf(signal);
      if (cancel === undefined) starting.abort();
      else cancel();
    },
    () => process.exit(130),
  );
  try {
    const { env, seeded, ...rest } = await target(starting.signal);
    close = rest.close;
    Object.assign(process.env, env);
    const messages = await import("../../app/src/server/messages.ts");
    const { CONVEX_URL: convexUrl = "", POLARIS_CONVEX_INTERNAL_KEY: internalKey = "" } = env;
    const conversationId = await conversationFor(asked, seeded, convexUrl, internalKey);
    const { messageId } = await messages.send({ conversationId, message: asked.text });

    let printed = "";
    const watched = watchMessage(convexUrl, internalKey, messageId, {
      text: (added) => {
        printed += added;
        process.stdout.write(added);
      },
      restarted: () => {
        process.stderr.write(dim("\n(a new attempt, from the beginning)\n"));
        printed = "";
      },
      toolCall: (call) => {
        if (printed !== "" && !printed.endsWith("\n")) {
          printed += "\n";
          process.stderr.write("\n");
        }
        process.stderr.write(dim(`· ${toolLine(call.name, call.args)}\n`));
      },
    });
    cancel = () => {
      process.stderr.write(dim("\nCancelling ... (Ctrl-C again leaves at once)\n"));
      messages.cancel({ messageId }).catch((error: unknown) => {
        process.stderr.write(`${red("The message could not be cancelled:")} ${describe(error)}\n`);
      });
    };
    const message = await watched.final;
    await watched.close();
    if (!message.content.endsWith("\n")) process.stdout.write("\n");
    const status = message.status ?? "completed";
    const colour = status === "completed" ? green : red;
    process.stderr.write(`${colour(status)}\n`);
    return status === "processing" ? 1 : EXIT_CODES[status];
  } finally {
    await close();
  }
}

async function conversationFor(
  asked: { project?: string; conversation?: string },
  seeded: RunningStack["seeded"],
  convexUrl: string,
  internalKey: string,
): Promise<string> {
  if (asked.conversation !== undefined) return asked.conversation;
  if (asked.project !== undefined) {
    const { createConversation } = await import("../stack/seed.ts");
    return createConversation(convexUrl, internalKey, asked.project);
  }
  if (seeded === undefined) {
    throw new Error("This stack has no demo project: name one with --project or --conversation.");
  }
  return seeded.conversationId;
}

function explain(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (code === "MESSAGE_IN_PROGRESS") {
    return "the project's last message is still being answered. Wait until it is done, or name another project with --project.";
  }
  return describe(error);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`polaris: ${explain(error)}\n`);
    process.exit(process.exitCode ?? 1);
  },
);
