// The variables that workers, the app and the commands of a stack get: of a stand-in what its ready
// line says, of a real service what `.env.local` says of it.

import { type ServiceName, type Settings, settingsOf } from "./services.ts";
import type { StandIn } from "./stand-in.ts";

export function environment(
  standIns: ReadonlyMap<ServiceName, StandIn>,
  names: readonly ServiceName[],
  settings: Settings,
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of names) {
    const info = standIns.get(name)?.info;
    if (info === undefined) {
      Object.assign(env, settingsOf(name, settings));
      continue;
    }
    const text = (key: string): string => {
      const value = info[key];
      if (typeof value === "string") return value;
      throw new Error(`the ready line of ${name} has no ${key}`);
    };
    switch (name) {
      case "convex":
        env.CONVEX_URL = info.url;
        env.NEXT_PUBLIC_CONVEX_URL = info.url;
        env.POLARIS_CONVEX_INTERNAL_KEY = text("internalKey");
        break;
      case "control-plane":
        env.TRIGGER_API_URL = info.url;
        env.TRIGGER_SECRET_KEY = text("secretKey");
        env.TRIGGER_ACCESS_TOKEN = text("accessToken");
        env.TRIGGER_PROJECT_REF = text("projectRef");
        break;
      case "model":
        env.POLARIS_PRIMARY_BASE_URL = text("baseUrl");
        env.POLARIS_PRIMARY_MODEL = "scripted";
        break;
      case "firecrawl":
        env.FIRECRAWL_API_URL = info.url;
        env.FIRECRAWL_API_KEY = text("apiKey");
        break;
      case "sentry":
        env.SENTRY_DSN = text("dsn");
        break;
    }
  }
  if (env.CONVEX_URL === undefined && env.NEXT_PUBLIC_CONVEX_URL !== undefined) {
    env.CONVEX_URL = env.NEXT_PUBLIC_CONVEX_URL;
  }
  return env;
}
