import { z } from "zod";
import { demoRoute } from "../../../../http/demo.ts";

const Prompt = z.object({ prompt: z.string().min(1) });

export const { GET, POST, PUT, PATCH, DELETE } = demoRoute("demo-generate", Prompt);
