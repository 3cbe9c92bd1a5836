// What the build and the server of the app need to know. Nothing of the outside is asked at build time:
// no fonts, no telemetry. Variables come from the environment, else from `.env.local` of the repository.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { NextConfig } from "next";

const REPOSITORY = join(import.meta.dirname, "..");

process.env.NEXT_TELEMETRY_DISABLED = "1";
readEnvFile(join(REPOSITORY, ".env.local"));

/** An empty value counts as unset, on both sides. */
function readEnvFile(path: string): void {
  // A stack that chose all variables itself must not get more from the file.
  if (process.env.POLARIS_ENV_FILE === "none") return;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return;
  }
  for (const [name, value] of Object.entries(parseEnv(text))) {
    if (value && !process.env[name]) process.env[name] = value;
  }
}

/** Nobody frames our pages, learns of their addresses, or has files taken for scripts. */
const SECURITY_HEADERS = [
  { key: "X-Content-Type-Options", value: "nosniff" },
  { key: "X-Frame-Options", value: "DENY" },
  { key: "Referrer-Policy", value: "same-origin" },
];

const config: NextConfig = {
  poweredByHeader: false,
  reactStrictMode: true,
  devIndicators: false,
  headers: async () => [{ source: "/:path*", headers: SECURITY_HEADERS }],
  // Instruments modules while they load: bundled, it would find none. Only the server imports it.
  serverExternalPackages: ["@sentry/node"],
  turbopack: { root: REPOSITORY },
  outputFileTracingRoot: REPOSITORY,
  typescript: {
    // `npm run check` checks all rooms at once, with the same settings.
    ignoreBuildErrors: true,
  },
};

export default config;
