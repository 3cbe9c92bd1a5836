// The routes that try a demo job: for development only, or where the local stack allows them to the
// production build that it has started.

import type { z } from "zod";
import { runner } from "../server/clients.ts";
import { MessageError } from "../server/errors.ts";
import { variable } from "../server/variables.ts";
import { bodyOf } from "./body.ts";
import { Refusal } from "./refusal.ts";
import { type Handler, methods, signedIn } from "./route.ts";

export function demoRoute<T extends object>(task: string, schema: z.ZodType<T>) {
  const inDevelopment: Handler = async (request, cookies) => {
    const isAllowed = variable("POLARIS_DEMO_ROUTES") === "allowed";
    if (process.env.NODE_ENV === "production" && !isAllowed) throw new Refusal(404, "Not found");
    return await trigger(request, cookies);
  };
  const trigger = signedIn(async (request) => {
    const payload = await bodyOf(request, schema);
    try {
      const run = await runner().tasks.trigger(task, payload);
      return { success: true, runId: run.id };
    } catch (cause) {
      if (cause instanceof MessageError) throw cause;
      throw new MessageError("TRIGGER_FAILED", `${task} could not be started`, { cause });
    }
  });
  return methods({ POST: inDevelopment });
}
