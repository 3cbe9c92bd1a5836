// The routes that try a demo job: for development only.

import type { z } from "zod";
import { runner } from "../server/clients.ts";
import { MessageError } from "../server/errors.ts";
import { bodyOf } from "./body.ts";
import { Refusal } from "./refusal.ts";
import { type Handler, methods, signedIn } from "./route.ts";

export function demoRoute<T extends object>(task: string, schema: z.ZodType<T>) {
  const inDevelopment: Handler = async (request, cookies) => {
    if (process.env.NODE_ENV === "production") throw new Refusal(404, "Not found");
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
