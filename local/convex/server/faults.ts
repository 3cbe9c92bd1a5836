// Faults on request, for tests: slow calls, refused calls, replies lost after the commit. Rules are
// replaced as a whole; the first rule that matches a call decides.
import { z } from "zod";
import type { FunctionKind } from "../engine/frame.ts";

export const faultRules = z.array(
  z
    .object({
      /** Exact, or with `*` for any characters; absent: every function. */
      path: z.string().optional(),
      kind: z.enum(["query", "mutation", "action"]).optional(),
      /** Waited before the function runs. */
      latencyMs: z.number().min(0).optional(),
      /** Waited before the function runs, until the rules are replaced. */
      hold: z.literal(true).optional(),
      /** Answered instead of running the function. */
      status: z.number().int().min(400).max(599).optional(),
      /** Seconds; sent as `Retry-After` with `status`. */
      retryAfter: z.number().min(0).optional(),
      /** Share of calls (0 to 1) whose connection is cut after the commit, before the reply. */
      dropReplyRate: z.number().min(0).max(1).optional(),
      /** How many calls the rule applies to; absent: all. */
      count: z.number().int().min(0).optional(),
    })
    .strict(),
);

export type FaultRule = z.infer<typeof faultRules>[number];

export class Faults {
  #rules: { rule: FaultRule; pattern: RegExp; left: number }[] = [];
  #waiting: (() => void)[] = [];

  /** Settles when the rules of now are replaced. */
  replaced(): Promise<void> {
    return new Promise((settle) => this.#waiting.push(settle));
  }

  replace(rules: FaultRule[]): void {
    for (const settle of this.#waiting.splice(0)) settle();
    this.#rules = rules.map((rule) => ({
      rule,
      pattern: glob(rule.path ?? "*"),
      left: rule.count ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** The rule for this call; it counts as used. */
  take(kind: FunctionKind, path: string): FaultRule | null {
    for (const entry of this.#rules) {
      if (entry.left <= 0 || !entry.pattern.test(path)) continue;
      if (entry.rule.kind !== undefined && entry.rule.kind !== kind) continue;
      entry.left--;
      return entry.rule;
    }
    return null;
  }
}

function glob(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*");
  return new RegExp(`^${escaped}$`);
}

/** What production says with these statuses (crates/errors/src/lib.rs). */
const CODES: Record<number, string> = {
  408: "ClientDisconnect",
  429: "TooManyConcurrentRequests",
  503: "Overloaded",
};

export function faultBody(status: number): { code: string; message: string } {
  const code = CODES[status] ?? (status >= 500 ? "InternalServerError" : "BadRequest");
  return { code, message: `${code}: asked for by a fault rule` };
}
