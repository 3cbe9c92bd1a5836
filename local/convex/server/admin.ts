// What tests and the stack may ask that clients may not: the call log, faults, a dump of a table.
// Guarded by the key of this state folder.
import type { IncomingMessage, ServerResponse } from "node:http";
import { faultRules } from "./faults.ts";
import type { Host } from "./host.ts";
import { HttpError, readBody, sendJson } from "./http.ts";
import { sameKey } from "./identity.ts";

export const ADMIN_HEADER = "x-polaris-admin";
/** The longest that `GET /admin/log?since=SEQ&wait=MS` is held open for a new entry. */
const MAX_WAIT_MS = 30_000;
const MAX_RULES_BYTES = 1024 * 1024;

export async function handleAdmin(
  host: Host,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const key = request.headers[ADMIN_HEADER];
  if (typeof key !== "string" || !sameKey(key, host.adminKey)) {
    throw new HttpError(
      403,
      "Forbidden",
      `Needs the header ${ADMIN_HEADER} with this host's admin key`,
    );
  }
  const { pathname, searchParams } = url;
  if (request.method === "GET" && pathname === "/admin/log") {
    const since = Number(searchParams.get("since") ?? "0");
    const wait = Number(searchParams.get("wait") ?? "0");
    await host.log.waitBeyond(since, Math.min(wait, MAX_WAIT_MS));
    const { seq, held } = host.log;
    return sendJson(response, 200, { seq, entries: host.log.since(since), held });
  }
  if (request.method === "POST" && pathname === "/admin/faults") {
    const body: unknown = JSON.parse((await readBody(request, MAX_RULES_BYTES)).toString("utf8"));
    const rules = faultRules.safeParse((body as { rules?: unknown }).rules);
    if (!rules.success) throw new HttpError(400, "BadRules", rules.error.message);
    host.faults.replace(rules.data);
    return sendJson(response, 200, { rules: rules.data.length });
  }
  if (request.method === "GET" && pathname === "/admin/tables") {
    const name = searchParams.get("table") ?? "";
    const documents = await host.engine.exclusive(async () => {
      const table = host.engine.store.table(name);
      return table === undefined
        ? null
        : host.engine.store
            .documents(table)
            .map(({ json }) => JSON.parse(json) as { _creationTime: number })
            .sort((a, b) => a._creationTime - b._creationTime);
    });
    if (documents === null) throw new HttpError(404, "NotFound", `There is no table ${name}`);
    return sendJson(response, 200, documents);
  }
  throw new HttpError(404, "NotFound", `There is nothing at ${pathname}`);
}
