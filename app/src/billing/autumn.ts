// Autumn over its REST API (docs.useautumn.com). A feature that its dashboard does not have limits
// nothing; every other failure is the caller's to hear of. It never sees anything but the user's id.

import { type Billing, type Plan, UNLIMITED } from "./port.ts";

export interface AutumnSettings {
  secretKey: string;
  /** https://api.useautumn.com/v1, or what AUTUMN_API_URL names. */
  apiUrl: string;
}

const FEATURE = "projects";
/** The version whose answers are read here. */
const API_VERSION = "1.2";
const TIMEOUT_MS = 10_000;

interface Answer {
  allowed?: boolean;
  usage?: number | null;
  balance?: number | null;
  included_usage?: number | null;
  unlimited?: boolean | null;
  /** What is beyond the included usage is paid for. */
  overage_allowed?: boolean | null;
}

export function autumnBilling({ secretKey, apiUrl }: AutumnSettings): Billing {
  /** undefined: there is no such feature. */
  async function post(path: string, body: Record<string, unknown>): Promise<Answer | undefined> {
    const response = await fetch(`${apiUrl}/${path}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${secretKey}`,
        "content-type": "application/json",
        "x-api-version": API_VERSION,
      },
      body: JSON.stringify({ feature_id: FEATURE, ...body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return (answer ?? {}) as Answer;
    const { code, message } = (answer ?? {}) as { code?: string; message?: string };
    if (code === "feature_not_found") return undefined;
    const reason = `${path} answered ${response.status}: ${message ?? code ?? "no reason"}`;
    const refused = response.status === 401 || response.status === 403;
    throw new Error(
      refused ? `AUTUMN_SECRET_KEY is not accepted: ${reason}` : `billing: ${reason}`,
    );
  }

  return {
    kind: "autumn",
    check: async (userId): Promise<Plan> => {
      const answer = await post("check", { customer_id: userId });
      if (answer === undefined) {
        return { allowed: true, currentUsage: 0, limit: 0, projectLimit: UNLIMITED };
      }
      const { allowed = false, usage, balance } = answer;
      const limit = answer.included_usage ?? 0;
      const counted = usage ?? Math.max(0, limit - (balance ?? limit));
      // A plan that names no number leaves it to each check.
      const isOpen =
        answer.unlimited === true ||
        answer.overage_allowed === true ||
        (allowed && (answer.included_usage ?? null) === null);
      return { allowed, currentUsage: counted, limit, projectLimit: isOpen ? UNLIMITED : limit };
    },
    track: async (userId, value) => {
      await post("track", { customer_id: userId, value });
    },
  };
}
