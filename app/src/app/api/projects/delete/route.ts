// Deletes a project, as the user; what works on it is stopped first.

import { api } from "../../../../../convex/_generated/api.js";
import { Refusal } from "../../../../http/refusal.ts";
import { methods, signedIn } from "../../../../http/route.ts";
import { userStore } from "../../../../server/clients.ts";
import { known } from "../../../../server/errors.ts";
import { stopWork } from "../../../../server/project-generation.ts";

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  DELETE: signedIn(async (request, session) => {
    const token = await session.token();
    if (token === undefined) throw new Refusal(401, "Failed to get authentication token");
    const id = new URL(request.url).searchParams.get("projectId");
    if (id === null || id === "") throw new Refusal(400, "projectId is missing.");
    await stopWork({ projectId: id, userId: session.userId });
    try {
      await userStore(token).mutation(api.projects.deleteProject, { id });
    } catch (error) {
      throw known(error);
    }
    return { success: true };
  }),
});
