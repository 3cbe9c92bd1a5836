// Creates an empty project, as the user.

import { z } from "zod";
import { api } from "../../../../../convex/_generated/api.js";
import { bodyOf } from "../../../../http/body.ts";
import { Refusal } from "../../../../http/refusal.ts";
import { methods, signedIn } from "../../../../http/route.ts";
import { userStore } from "../../../../server/clients.ts";
import { known } from "../../../../server/errors.ts";

const Create = z.object({ name: z.string() });

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  POST: signedIn(async (request, session) => {
    const token = await session.token();
    if (token === undefined) throw new Refusal(401, "Failed to get authentication token");
    const { name } = await bodyOf(request, Create);
    try {
      const projectId = await userStore(token).mutation(api.projects.create, { name });
      return { success: true, projectId };
    } catch (error) {
      throw known(error);
    }
  }),
});
