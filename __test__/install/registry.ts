// A package registry on 127.0.0.1 that has our packed files as if they were published, so that an
// install takes the way of a user's: by name and version, with npm choosing the platform package.
// What is not ours is sent on to the registry that npm is configured with.

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Published {
  manifest: Record<string, unknown> & { name: string; version: string };
  /** The packed file; absent: known, but never to be fetched (another platform's). */
  file?: string;
}

export interface Registry {
  url: string;
  /** Paths that were asked for and are ours. */
  asked: string[];
  close(): Promise<void>;
}

export async function startRegistry(
  packages: readonly Published[],
  elsewhere?: string,
): Promise<Registry> {
  const byName = new Map(packages.map((each) => [each.manifest.name, each]));
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/");
    const [, name = "", tarball] = /^\/([^/]+)(?:\/-\/(.+))?$/.exec(path) ?? [];
    const found = byName.get(name);
    if (found === undefined) {
      if (elsewhere === undefined || request.method !== "GET") {
        response
          .writeHead(404, { "content-type": "application/json" })
          .end('{"error":"not found"}');
      } else
        response.writeHead(302, { location: new URL(request.url ?? "/", elsewhere).href }).end();
      return;
    }
    asked.push(path);
    if (tarball !== undefined) {
      if (found.file === undefined) response.writeHead(410).end();
      else response.end(readFileSync(found.file));
      return;
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(packument(found, `http://${request.headers.host}`)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    asked,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((settle) => server.close(() => settle()));
    },
  };
}

function packument({ manifest, file }: Published, url: string): object {
  const { name, version } = manifest;
  const bytes = file === undefined ? Buffer.alloc(0) : readFileSync(file);
  const dist = {
    tarball: `${url}/${name}/-/${name}-${version}.tgz`,
    shasum: createHash("sha1").update(bytes).digest("hex"),
    integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
  };
  return {
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { ...manifest, dist } },
  };
}
