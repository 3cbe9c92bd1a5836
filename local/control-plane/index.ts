// A local stand-in for the Trigger.dev API: what the unmodified official CLI and SDK need to run,
// retry and cancel tasks on this machine, without an account. Listens on 127.0.0.1 only.
// State is SQLite in the state folder; a killed control plane goes on where it was.

import { randomBytes, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Service } from "../service.ts";
import { adminRoutes } from "./http/admin-routes.ts";
import { apiRoutes } from "./http/api-routes.ts";
import type { Services } from "./http/context.ts";
import { otelRoutes } from "./http/otel-routes.ts";
import { packetRoutes } from "./http/packet-routes.ts";
import { pageRoutes } from "./http/page-routes.ts";
import { type Access, createRouter, sendJson } from "./http/router.ts";
import { waitRoutes } from "./http/wait-routes.ts";
import { workerRoutes } from "./http/worker-routes.ts";
import { loadKeys } from "./keys.ts";
import { openPackets } from "./packets.ts";
import { Engine } from "./runs/engine.ts";
import type { Timeouts } from "./runs/state.ts";
import { openWorkerSockets, type WorkerSockets } from "./socket.ts";
import { openDatabase } from "./store/database.ts";
import { type Journal, openJournal } from "./store/journal.ts";
import { prune } from "./store/runs.ts";

export interface ControlPlaneOptions {
  /** 0 or absent: any free port. */
  port?: number;
  /** Folder for keys and runs; created when missing. Absent: a temporary one. */
  state?: string;
  /** Pause of the CLI between two dequeues; while there is no work it waits on an open request. */
  pollMs?: number;
  maxConcurrentRuns?: number;
  /** Default: kept from the last start, else random. */
  projectRef?: string;
  /** Given to the workers as the project's variables; the CLI's own env files go before them. */
  workerVariables?: Record<string, string>;
  /** Silence after which a run counts as stalled, in ms. Default: the official 60 s. */
  timeouts?: Partial<Timeouts>;
  /** After a CLI's connection ended: how long its runs wait for it to come back, in ms. */
  lostAfterMs?: number;
}

export interface ControlPlane extends Service {
  readonly secretKey: string;
  readonly accessToken: string;
  readonly projectRef: string;
  readonly environmentId: string;
  readonly adminKey: string;
  readonly port: number;
  readonly journal: Journal;
}

/** The heartbeat timeouts of the official engine; workers send a heartbeat every 30 s. */
const TIMEOUTS: Timeouts = {
  pendingExecuting: 60_000,
  executing: 60_000,
  // What a suspended run is given officially: a parent may be frozen while it waits.
  waiting: 600_000,
  pendingCancel: 60_000,
};
const POLL_MS = 50;
const MAX_CONCURRENT_RUNS = 25;
/** A CLI reconnects within 5 s; a run that none has in hand after this long is lost. */
const LOST_AFTER_MS = 15_000;
/** A new CLI has just registered its tasks: the one that had the old runs is not coming back. */
const LOST_AFTER_REGISTERED_MS = 3_000;
/** When a worker that was told of a cancel or the end of a wait has not asked for the snapshot, it is told again. */
const NOTIFY_AGAIN_MS = [50, 200, 1_000];

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const temporary = options.state === undefined;
  const state = resolve(options.state ?? mkdtempSync(join(tmpdir(), "control-plane-")));
  const keys = loadKeys(state, options.projectRef || undefined);
  const db = openDatabase(state);
  prune(db);
  const journal = openJournal(db);
  const held = new Set<AbortController>();
  let closing = false;
  let url = "";
  let sockets: WorkerSockets | undefined;

  const later = (ms: number, work: () => void): void => {
    setTimeout(() => {
      if (!closing) work();
    }, ms).unref();
  };
  const notify = (runId: string): number => {
    for (const ms of NOTIFY_AGAIN_MS) {
      later(ms, () => {
        if (engine.deliveries.awaited(runId)) sockets?.notify(runId);
      });
    }
    return sockets?.notify(runId) ?? 0;
  };
  const maxConcurrentRuns = options.maxConcurrentRuns ?? MAX_CONCURRENT_RUNS;
  const timeouts = { ...TIMEOUTS, ...options.timeouts };
  const engine = new Engine({ db, journal, timeouts, maxConcurrentRuns, notify });
  const services: Services = {
    keys,
    db,
    engine,
    journal,
    packets: openPackets(db, keys.secretKey, () => url),
    url: () => url,
    pollMs: options.pollMs ?? POLL_MS,
    maxConcurrentRuns,
    workerVariables: options.workerVariables ?? {},
    held,
  };

  const lostAfterMs = options.lostAfterMs ?? LOST_AFTER_MS;
  const findLost = (): void => {
    engine.findLost((runId) => sockets?.hears(runId) ?? false);
  };
  journal.listen((event) => {
    if (event.type === "socket disconnected") later(lostAfterMs, findLost);
    if (event.type === "worker registered" && sockets?.connected()) {
      later(LOST_AFTER_REGISTERED_MS, findLost);
    }
  });

  const pageToken = randomBytes(24).toString("base64url");
  const allowed = (access: Access, request: IncomingMessage): boolean => {
    const { headers } = request;
    switch (access) {
      case "environment":
        return same(headers.authorization, `Bearer ${keys.secretKey}`);
      case "personal":
        return same(headers.authorization, `Bearer ${keys.accessToken}`);
      case "admin":
        return same(header(headers["x-polaris-admin"]), keys.adminKey);
      case "page":
        return same(header(headers["x-page-token"]), pageToken) && sameOrigin(request);
      case "open":
        return true;
    }
  };
  const handle = createRouter(
    [
      ...workerRoutes(services),
      ...apiRoutes(services),
      ...waitRoutes(services),
      ...packetRoutes(services),
      ...otelRoutes(services),
      ...adminRoutes(services),
      ...pageRoutes(services, pageToken, () => randomBytes(16).toString("base64url")),
    ],
    allowed,
  );
  const server = createServer((request, response) => {
    // A foreign name that points to this machine (DNS rebinding) is not us.
    if (!isLoopbackHost(request.headers.host)) {
      return sendJson(response, 403, { error: "Unknown host" }, { "x-should-retry": "false" });
    }
    handle(request, response);
  });
  // The CLI keeps connections open between polls.
  server.keepAliveTimeout = 60_000;
  sockets = openWorkerSockets({
    server,
    authorized: (request) =>
      isLoopbackHost(request.headers.host) && allowed("environment", request),
    connected: () => journal.write("socket connected"),
    disconnected: () => journal.write("socket disconnected"),
    subscribed: (runIds) => {
      for (const id of runIds) {
        if (engine.deliveries.awaited(id)) sockets?.notify(id);
      }
    },
  });
  try {
    server.listen(options.port ?? 0, "127.0.0.1");
    await once(server, "listening");
  } catch (error) {
    engine.close();
    db.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}`;
  journal.write("control plane started", undefined, { url });
  later(lostAfterMs, findLost);

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing = true;
    for (const request of held) request.abort();
    sockets?.close();
    engine.close();
    const ended = once(server, "close");
    server.close();
    server.closeAllConnections();
    await ended;
    db.close();
    if (temporary) rmSync(state, { recursive: true, force: true });
  };
  const { secretKey, accessToken, projectRef, environmentId, adminKey } = keys;
  return {
    url,
    port,
    secretKey,
    accessToken,
    projectRef,
    environmentId,
    adminKey,
    journal,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function same(given: string | undefined, wanted: string): boolean {
  if (given === undefined) return false;
  const a = Buffer.from(given);
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}

function isLoopbackHost(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host ?? "");
}

function sameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  return origin === undefined || origin === `http://${host}`;
}
