// Payloads and outputs too large for a request: the official clients ask for a URL, put the text there
// and pass its path on as an `application/store` packet. The URLs lead to this host only, are signed
// for one path and one method, and expire; nothing else authorizes them, as officially.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Database } from "./store/database.ts";

export const STORED = "application/store";
/** Long enough for a worker that reads its payload after a pause; the official URLs last as long. */
const URL_LIFETIME_MS = 60 * 60 * 1000;
const MAX_PATH_LENGTH = 1_024;
/** A packet that no run names any more is dropped after this. */
const ORPHAN_LIFETIME_MS = 24 * 60 * 60 * 1000;

export interface Packet {
  data: string;
  contentType: string;
}

export interface Packets {
  /** A URL with which its holder may do this one thing with this one path. */
  urlFor(method: "GET" | "PUT", path: string): string;
  authorizes(method: string, path: string, query: URLSearchParams): boolean;
  put(path: string, packet: Packet): void;
  get(path: string): Packet | undefined;
}

export function openPackets(db: Database, key: string, url: () => string): Packets {
  db.run(
    `delete from packets where created_at < ? and path not in
       (select payload from runs where payload_type = ?) and path not in
       (select output from runs where output_type = ?)`,
    [Date.now() - ORPHAN_LIFETIME_MS, STORED, STORED],
  );
  const sign = (method: string, path: string, expires: number): string =>
    createHmac("sha256", key).update(`packet\n${method}\n${expires}\n${path}`).digest("hex");
  return {
    urlFor(method, path) {
      const expires = Date.now() + URL_LIFETIME_MS;
      const signature = sign(method, path, expires);
      return `${url()}/packets/${encodeURIComponent(path)}?expires=${expires}&signature=${signature}`;
    },
    authorizes(method, path, query) {
      const expires = Number(query.get("expires"));
      if (!(expires > Date.now())) return false;
      const given = Buffer.from(query.get("signature") ?? "");
      const wanted = Buffer.from(sign(method, path, expires));
      return given.length === wanted.length && timingSafeEqual(given, wanted);
    },
    put(path, { data, contentType }) {
      db.run(
        "insert or replace into packets (path, content_type, data, created_at) values (?, ?, ?, ?)",
        [path, contentType, data, Date.now()],
      );
    },
    get(path) {
      const row = db.get("select content_type, data from packets where path = ?", [path]);
      return row && { data: String(row.data), contentType: String(row.content_type) };
    },
  };
}

/** A path as the clients make them: no part that leads elsewhere, nothing invisible. */
export function isPacketPath(path: string): boolean {
  return (
    path.length <= MAX_PATH_LENGTH &&
    /^[\w.:@=+-]+(\/[\w.:@=+-]+)*$/.test(path) &&
    !path.split("/").some((part) => /^\.+$/.test(part))
  );
}
