// Whether a user may have another project, and the count of those they have: the questions that
// routes ask of billing. Adapters answer: Autumn when it is configured, else everything is allowed.

export interface Allowance {
  allowed: boolean;
  currentUsage: number;
  /** Projects that the plan includes. */
  limit: number;
}

/** How many projects the plan lets a user have, as Convex keeps it; -1: any number. */
export const UNLIMITED = -1;

export interface Plan extends Allowance {
  projectLimit: number;
}

export interface Billing {
  kind: "autumn" | "unlimited";
  /** Whether the user may have one more project, and how many their plan allows at all. */
  check: (userId: string) => Promise<Plan>;
  /** Counts projects of the user: 1 for a new one, -1 to give one back. */
  track: (userId: string, value: number) => Promise<void>;
}
