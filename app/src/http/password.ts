// Signing in and up with a password, where the adapter of sign-in can do that.

import { z } from "zod";
import { auth, hasPasswords } from "../auth/index.ts";
import { bodyOf } from "./body.ts";
import { Refusal } from "./refusal.ts";
import { methods, requireOwnPage } from "./route.ts";

const Credentials = z.object({ email: z.email(), password: z.string().min(1) });

export function passwordRoute(action: "signIn" | "signUp") {
  return methods({
    POST: async (request, cookies) => {
      requireOwnPage(request);
      const adapter = auth();
      if (!hasPasswords(adapter)) throw new Refusal(404, "There is nothing to sign in to here.");
      const result = await adapter[action](await bodyOf(request, Credentials), cookies);
      if (!result.ok) throw new Refusal(401, result.reason);
      return { success: true };
    },
  });
}
