// Builders for functions that only servers may call: they take `internalKey`, compare it with
// POLARIS_CONVEX_INTERNAL_KEY and hide it from the handler. No user identity is looked at.
import type { RegisteredMutation, RegisteredQuery } from "convex/server";
import type { Infer, Validator } from "convex/values";
import { type GenericValidator, type ObjectType, type PropertyValidators, v } from "convex/values";
import { type MutationCtx, mutation, type QueryCtx, query } from "../_generated/server";
import { coded } from "./errors";

type WithKey<Args extends PropertyValidators> = ObjectType<
  Args & { internalKey: Validator<string, "required", never> }
>;

type Definition<Ctx, Args extends PropertyValidators, Returns extends GenericValidator> = {
  args: Args;
  returns: Returns;
  handler: (ctx: Ctx, args: ObjectType<Args>) => Promise<Infer<Returns>>;
};

export function serverQuery<Args extends PropertyValidators, Returns extends GenericValidator>(
  definition: Definition<QueryCtx, Args, Returns>,
): RegisteredQuery<"public", WithKey<Args>, Promise<Infer<Returns>>> {
  return query({
    args: { ...definition.args, internalKey: v.string() },
    returns: definition.returns,
    handler: async (ctx, args) => definition.handler(ctx, withoutKey<Args>(args)),
  }) as unknown as RegisteredQuery<"public", WithKey<Args>, Promise<Infer<Returns>>>;
}

export function serverMutation<Args extends PropertyValidators, Returns extends GenericValidator>(
  definition: Definition<MutationCtx, Args, Returns>,
): RegisteredMutation<"public", WithKey<Args>, Promise<Infer<Returns>>> {
  return mutation({
    args: { ...definition.args, internalKey: v.string() },
    returns: definition.returns,
    handler: async (ctx, args) => definition.handler(ctx, withoutKey<Args>(args)),
  }) as unknown as RegisteredMutation<"public", WithKey<Args>, Promise<Infer<Returns>>>;
}

/** Checks the key and returns the other arguments. */
function withoutKey<Args extends PropertyValidators>(args: unknown): ObjectType<Args> {
  const { internalKey, ...rest } = args as { internalKey: string };
  requireInternalKey(internalKey);
  return rest as unknown as ObjectType<Args>;
}

function requireInternalKey(given: string): void {
  const expected = process.env.POLARIS_CONVEX_INTERNAL_KEY;
  if (!expected) {
    throw coded(
      "INTERNAL_KEY_NOT_CONFIGURED",
      "POLARIS_CONVEX_INTERNAL_KEY is not configured in the Convex deployment",
    );
  }
  if (!equalInConstantTime(expected, given)) {
    throw coded("INVALID_INTERNAL_KEY", "Invalid internal key");
  }
}

/** The time depends on the expected key's length only, never on where the two differ. */
function equalInConstantTime(expected: string, given: string): boolean {
  const encoder = new TextEncoder();
  const a = encoder.encode(expected);
  const b = encoder.encode(given);
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) {
    difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  }
  return difference === 0;
}
