// Whether a user may have another project, and the count of those they have: the questions that
// routes ask of billing. Adapters answer: Autumn when it is configured, else everything is allowed.

export interface Allowance {
  allowed: boolean;
  currentUsage: number;
  limit: number;
}

export interface Billing {
  kind: "autumn" | "unlimited";
  /** Whether the user may have one more project. */
  check: (userId: string) => Promise<Allowance>;
  /** Counts projects of the user: 1 for a new one, -1 to give one back. */
  track: (userId: string, value: number) => Promise<void>;
}
