// Creates an empty project, as the user, when billing has room for it.

import { z } from "zod";
import { api } from "../../../../../convex/_generated/api.js";
import { billing } from "../../../../billing/index.ts";
import { billingRefusal } from "../../../../http/billing.ts";
import { bodyOf } from "../../../../http/body.ts";
import { Refusal } from "../../../../http/refusal.ts";
import { methods, signedIn } from "../../../../http/route.ts";
import { userStore } from "../../../../server/clients.ts";
import { known } from "../../../../server/errors.ts";
import { requireRoom } from "../../../../server/plan.ts";

const Create = z.object({ name: z.string() });

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  POST: signedIn(async (request, session) => {
    const { userId } = session;
    const token = await session.token();
    if (token === undefined) throw new Refusal(401, "Failed to get authentication token");
    const { name } = await bodyOf(request, Create);
    const adapter = billing();
    try {
      await requireRoom(adapter, { userId, token });
      const projectId = await userStore(token)
        .mutation(api.projects.create, { name })
        .catch((error: unknown) => {
          throw known(error);
        });
      await adapter.track(userId, 1);
      return { success: true, projectId };
    } catch (error) {
      throw billingRefusal(error, "Failed to create project");
    }
  }),
});
