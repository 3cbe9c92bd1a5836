// Generating a project from a description, generating it again where that failed, and stopping it.

import { z } from "zod";
import { billing } from "../../../../billing/index.ts";
import { billingRefusal } from "../../../../http/billing.ts";
import { bodyOf, boundedText, checked } from "../../../../http/body.ts";
import { Refusal } from "../../../../http/refusal.ts";
import { methods, signedIn } from "../../../../http/route.ts";
import {
  beginGeneration,
  retryGeneration,
  stopGeneration,
} from "../../../../server/project-generation.ts";

const MIN_DESCRIPTION_CHARS = 10;
/** As the task takes it. */
const MAX_DESCRIPTION_BYTES = 64 * 1024;
const MAX_NAME_CHARS = 200;
/** Gives the project back to the user's allowance when the runner does not take the job. */
const GIVE_BACK = false;

const New = z.strictObject({
  description: boundedText(MAX_DESCRIPTION_BYTES, "A description").refine(
    (text) => text.trim().length >= MIN_DESCRIPTION_CHARS,
    { error: `A description has at least ${MIN_DESCRIPTION_CHARS} characters` },
  ),
  projectName: z.string().max(MAX_NAME_CHARS).optional(),
  /** Whose prompts are followed. */
  plan: z.enum(["default", "general"]).optional(),
  /** The same id again is the same generation. */
  generationId: z
    .string()
    .regex(/^[\w-]{1,100}$/, { error: "expected letters, digits, - and _" })
    .optional(),
});
const Again = z.strictObject({ projectId: z.string() });

export const { GET, POST, PUT, PATCH, DELETE } = methods({
  POST: signedIn(async (request, session) => {
    const token = await session.token();
    if (token === undefined) throw new Refusal(401, "Failed to get authentication token");
    const { userId } = session;
    const body = await bodyOf(request, z.record(z.string(), z.unknown()));
    if ("projectId" in body) {
      const { projectId } = checked(Again, body);
      return { success: true, ...(await retryGeneration({ projectId, userId })) };
    }
    const { description, projectName, plan = "default", generationId } = checked(New, body);
    const name = projectName?.trim() || `Generated Project ${new Date().toISOString()}`;
    const wanted = { token, userId, name, description, plan, generationId, billing: billing() };
    try {
      return { success: true, ...(await beginGeneration({ ...wanted, giveBack: GIVE_BACK })) };
    } catch (error) {
      throw billingRefusal(error, "Failed to generate project");
    }
  }),
  DELETE: signedIn(async (request, { userId }) => {
    const { projectId } = await bodyOf(request, Again);
    return { success: true, ...(await stopGeneration({ projectId, userId })) };
  }),
});
