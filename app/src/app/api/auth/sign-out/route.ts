import { auth, hasPasswords } from "../../../../auth/index.ts";
import { methods, requireOwnPage } from "../../../../http/route.ts";

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  POST: async (request, cookies) => {
    requireOwnPage(request);
    const adapter = auth();
    if (hasPasswords(adapter)) await adapter.signOut(cookies);
    return { success: true };
  },
});
