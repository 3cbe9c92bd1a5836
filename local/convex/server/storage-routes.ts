// Up- and download of stored files: POST to an address from `generateUploadUrl`, GET by storage id.
import type { IncomingMessage, ServerResponse } from "node:http";
import { Transaction } from "../engine/transaction.ts";
import type { Host } from "./host.ts";
import { HttpError, readBody, sendJson } from "./http.ts";

/** Not a limit of production, which takes any size within two minutes; of this host's memory. */
const MAX_UPLOAD_BYTES = 256 * 1024 * 1024;

export async function handleStorage(
  host: Host,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { engine } = host;
  if (url.pathname === "/api/storage/upload") {
    if (
      request.method !== "POST" ||
      !engine.blobs.acceptsUpload(url.searchParams.get("token") ?? "")
    ) {
      throw new HttpError(403, "Forbidden", "This upload address is not valid (any more)");
    }
    const bytes = await readBody(request, MAX_UPLOAD_BYTES);
    const contentType = request.headers["content-type"] ?? null;
    const storageId = await engine.write(async (transaction) =>
      engine.blobs.insert(transaction, { bytes, contentType }),
    );
    return sendJson(response, 200, { storageId });
  }
  const id = decodeURIComponent(url.pathname.slice("/api/storage/".length));
  const blob = await engine.exclusive(async () => {
    const transaction = new Transaction(engine.store, { ts: engine.lastTs, readOnly: true });
    return transaction.tableNameOf(id) === "_storage" ? engine.blobs.read(transaction, id) : null;
  });
  if (blob === null) throw new HttpError(404, "FileNotFound", `File ${id} not found`);
  response.writeHead(200, {
    "Content-Type": blob.contentType ?? "application/octet-stream",
    // A stored page must not run as one of ours.
    "Content-Security-Policy": "sandbox",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(blob.bytes);
}
