// Gives messages whose run is dead their final status: when a stack comes up, when a service came
// back, and from time to time. What "dead" means is the product's own check; this only calls it, for
// every message of the local Convex host that is still processing.

import { z } from "zod";

export interface RepairsOptions {
  env: Readonly<Record<string, string>>;
  /** The admin API of the local Convex host; undefined: a real deployment, left to its owner. */
  convex: () => { url: string; adminKey: string } | undefined;
  periodic: boolean;
  log: (line: string) => void;
}

export interface Repairs {
  /** Settles when the check is done; a failing check is logged, never thrown. */
  now(): Promise<void>;
  stop(): void;
}

const EVERY_MS = 15_000;

const Messages = z.array(z.object({ _id: z.string(), status: z.string().optional() }));

async function processing(convex: { url: string; adminKey: string }): Promise<string[]> {
  const response = await fetch(`${convex.url}/admin/tables?table=messages`, {
    headers: { "x-polaris-admin": convex.adminKey },
  });
  if (!response.ok) throw new Error(`Convex answered ${response.status}`);
  return Messages.parse(await response.json())
    .filter((message) => message.status === "processing")
    .map((message) => message._id);
}

export function startRepairs({ env, convex, periodic, log }: RepairsOptions): Repairs {
  let checking: Promise<void> | undefined;
  let lastProblem = "";
  const check = async (): Promise<void> => {
    const host = convex();
    if (host === undefined || env.TRIGGER_SECRET_KEY === undefined) return;
    try {
      const messageIds = await processing(host);
      if (messageIds.length === 0) return;
      // The product's server code reads its configuration from the environment.
      Object.assign(process.env, env);
      const { repair } = await import("../../app/src/server/messages.ts");
      for (const messageId of messageIds) {
        const { repaired } = await repair({ messageId });
        for (const { status } of repaired) log(`a message whose run had died is now ${status}`);
      }
      lastProblem = "";
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      // A service that is down is down for many checks: say it once.
      if (problem !== lastProblem) log(`the check of dead runs failed: ${problem}`);
      lastProblem = problem;
    }
  };
  const now = (): Promise<void> => {
    checking ??= check().finally(() => {
      checking = undefined;
    });
    return checking;
  };
  const timer = periodic ? setInterval(() => void now(), EVERY_MS) : undefined;
  timer?.unref();
  return { now, stop: () => clearInterval(timer) };
}
