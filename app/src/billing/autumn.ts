// Autumn over its REST API (docs.useautumn.com). A feature that its dashboard does not have limits
// nothing; every other failure is the caller's to hear of. It never sees anything but the user's id.

import type { Allowance, Billing } from "./port.ts";

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
  usage?: number;
  balance?: number;
  included_usage?: number;
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
    check: async (userId): Promise<Allowance> => {
      const answer = await post("check", { customer_id: userId });
      if (answer === undefined) return { allowed: true, currentUsage: 0, limit: 0 };
      const { allowed = false, usage, included_usage: limit = 0, balance } = answer;
      const counted = usage ?? (balance === undefined ? 0 : Math.max(0, limit - balance));
      return { allowed, currentUsage: counted, limit };
    },
    track: async (userId, value) => {
      await post("track", { customer_id: userId, value });
    },
  };
}
