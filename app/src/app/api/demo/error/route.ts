import { z } from "zod";
import { demoRoute } from "../../../../http/demo.ts";

export const { GET, POST, PUT, PATCH, DELETE } = demoRoute("demo-error", z.strictObject({}));
