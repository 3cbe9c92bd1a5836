// The token with which the page talks to Convex.

import { Refusal } from "../../../../http/refusal.ts";
import { methods, sessionOf } from "../../../../http/route.ts";

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  GET: async (request, cookies) => {
    const session = await sessionOf(request, cookies);
    const token = await session.token();
    if (token === undefined) throw new Refusal(401, "Failed to get authentication token");
    return { token, user: { id: session.userId, email: session.email ?? null } };
  },
});
