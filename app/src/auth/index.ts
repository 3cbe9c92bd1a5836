// The adapter of this deployment, by its variables as they are now.

import { variable } from "../server/variables.ts";
import { localAuth } from "./local.ts";
import type { Auth } from "./port.ts";
import { stackAuth } from "./stack.ts";

export { type Auth, type Cookies, hasPasswords, type Session } from "./port.ts";

const STACK_API_URL = "https://api.stack-auth.com";

export function auth(): Auth {
  const projectId = variable("NEXT_PUBLIC_STACK_PROJECT_ID");
  if (projectId === undefined) return localAuth();
  return stackAuth({
    projectId,
    publishableClientKey: variable("NEXT_PUBLIC_STACK_PUBLISHABLE_CLIENT_KEY"),
    secretServerKey: variable("STACK_SECRET_SERVER_KEY"),
    apiUrl: (variable("STACK_API_URL") ?? STACK_API_URL).replace(/\/+$/, ""),
  });
}
