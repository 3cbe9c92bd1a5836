// Finds TypeScript 7's language server: an optional dependency of this package, so that no TypeScript
// of an app is touched. Without it the core answers from its own index.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Read by the core: the server's file; `off` for none. */
export const TYPESCRIPT_VARIABLE = "POLARIS_TYPESCRIPT_PATH";

const require = createRequire(import.meta.url);

let found: { path: string | undefined } | undefined;

/** The server's file on this platform. */
export function typescriptServer(): string | undefined {
  found ??= { path: findServer(process.platform, process.arch, (id) => require.resolve(id)) };
  return found.path;
}

/** As `typescriptServer`, for any platform. */
export function findServer(
  platform: string,
  arch: string,
  resolve: (id: string) => string,
): string | undefined {
  let description: string;
  try {
    description = resolve(`@typescript/typescript-${platform}-${arch}/package.json`);
  } catch {
    return undefined;
  }
  const name = platform === "win32" ? "tsc.exe" : "tsc";
  const file = join(dirname(description), "lib", name);
  return existsSync(file) ? file : undefined;
}
