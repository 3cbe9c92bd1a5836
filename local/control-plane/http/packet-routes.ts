// Large payloads and outputs: a signed URL for each, and what is stored behind it.

import { CreateUploadPayloadUrlResponseBody } from "@trigger.dev/core/v3";
import { isPacketPath, STORED } from "../packets.ts";
import { requireRun, type Services } from "./context.ts";
import { HttpError, type Route, rawRoute, route } from "./router.ts";

export function packetRoutes({ db, packets }: Services): Route[] {
  const pathOf = (given: string | undefined): string => {
    if (given === undefined || !isPacketPath(given)) throw new HttpError(400, "Invalid file name");
    return given;
  };
  const known = (path: string): string => {
    if (packets.get(path) === undefined) throw new HttpError(404, "Packet not found");
    return path;
  };
  return [
    route("PUT /api/v2/packets/:path", {
      access: "environment",
      reply: CreateUploadPayloadUrlResponseBody,
      handle: ({ params }) => {
        const storagePath = pathOf(params.path);
        return { body: { presignedUrl: packets.urlFor("PUT", storagePath), storagePath } };
      },
    }),
    route("GET /api/v1/packets/:path", {
      access: "environment",
      reply: CreateUploadPayloadUrlResponseBody,
      handle: ({ params }) => ({
        body: { presignedUrl: packets.urlFor("GET", known(pathOf(params.path))) },
      }),
    }),
    route("GET /api/v1/runs/:run/packets/:field", {
      access: "environment",
      reply: CreateUploadPayloadUrlResponseBody,
      handle: ({ params }) => {
        const run = requireRun(db, params.run);
        const stored = {
          payload: run.payloadType === STORED ? run.payload : null,
          output: run.outputType === STORED ? run.output : null,
        };
        const path = params.field === "payload" ? stored.payload : stored.output;
        if (path === null) throw new HttpError(404, `The ${params.field} is not stored apart`);
        return { body: { presignedUrl: packets.urlFor("GET", known(path)) } };
      },
    }),
    rawRoute("PUT /packets/:path", "open", async ({ params, query, headers, body, response }) => {
      const path = pathOf(params.path);
      if (!packets.authorizes("PUT", path, query)) throw new HttpError(403, "The URL is not valid");
      packets.put(path, {
        data: body,
        contentType: headers["content-type"] ?? "application/octet-stream",
      });
      response.writeHead(200).end();
    }),
    rawRoute("GET /packets/:path", "open", async ({ params, query, response }) => {
      const path = pathOf(params.path);
      if (!packets.authorizes("GET", path, query)) throw new HttpError(403, "The URL is not valid");
      const packet = packets.get(path);
      if (packet === undefined) throw new HttpError(404, "Packet not found");
      response.writeHead(200, {
        // As it was put: the clients choose by it how to read the text.
        "content-type": packet.contentType,
        "cache-control": "no-store",
        // What a task returned must never become a page of this origin.
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "content-disposition": "attachment",
      });
      response.end(packet.data);
    }),
  ];
}
