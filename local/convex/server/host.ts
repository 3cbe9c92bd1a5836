// A deployment of this machine: loads a folder of functions, keeps its state in another folder, and
// serves the official clients on 127.0.0.1. To be run in a process of its own: it takes over
// `globalThis.Convex` and guards other globals.
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { Authenticator } from "../engine/auth.ts";
import { Engine } from "../engine/engine.ts";
import { installGuards } from "../engine/guards.ts";
import { LiveQueries } from "../engine/live.ts";
import { type Deployment, loadDeployment } from "../engine/modules.ts";
import { installSyscalls } from "../engine/syscalls.ts";
import { CallLog, describeCall } from "./call-log.ts";
import { Calls } from "./calls.ts";
import { Faults } from "./faults.ts";
import { handleRequest, isLocalOrigin } from "./http.ts";
import { loadKeys } from "./keys-file.ts";
import { lockState } from "./state-lock.ts";
import { SyncSocket } from "./sync.ts";

export interface HostOptions {
  port?: number;
  state: string;
  /** Folder of the Convex functions. */
  functions: string;
  /** As production: only the data of a ConvexError reach clients. */
  redact?: boolean;
}

export interface Host {
  readonly url: string;
  readonly adminKey: string;
  readonly internalKey: string;
  readonly engine: Engine;
  readonly deployment: Deployment;
  readonly authenticator: Authenticator;
  readonly live: LiveQueries;
  readonly calls: Calls;
  readonly log: CallLog;
  readonly faults: Faults;
  close(): Promise<void>;
}

const INTERNAL_KEY = "POLARIS_CONVEX_INTERNAL_KEY";
/** `/api/sync` (Rust) or `/api/<client version>/sync` (npm). */
const SYNC_PATH = /^\/api\/(?:(\d+)\.(\d+)\.[^/]+\/)?sync$/;

export async function startHost(options: HostOptions): Promise<Host> {
  await mkdir(options.state, { recursive: true });
  const lock = lockState(options.state);
  const keys = await loadKeys(options.state, process.env[INTERNAL_KEY] || undefined);
  process.env[INTERNAL_KEY] = keys.internalKey;
  installGuards();
  const deployment = await loadDeployment(options.functions, join(options.state, "functions"));
  let url = "";
  const engine = new Engine({
    deployment,
    state: options.state,
    functionsFolder: options.functions,
    redact: options.redact ?? false,
    publicUrl: () => url,
  });
  installSyscalls(engine);
  const log = new CallLog();
  const faults = new Faults();
  const live = new LiveQueries(engine, ({ path, argsJson }, outcome, ms) => {
    const at = performance.timeOrigin + performance.now() - ms;
    log.add({ ...describeCall({ kind: "query", path, argsJson, at, ms }, outcome), live: true });
  });
  const server = createServer((request, response) => {
    void handleRequest(host, request, response);
  });
  const host: Host = {
    get url() {
      return url;
    },
    ...keys,
    engine,
    deployment,
    authenticator: new Authenticator(deployment.authProviders),
    live,
    calls: new Calls(engine, log, faults),
    log,
    faults,
    close: async () => {
      engine.scheduler.stop();
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      // Whatever still runs ends first; then nothing touches the file any more.
      await engine.exclusive(async () => engine.close());
      lock.close();
    },
  };
  const sockets = acceptSockets(server, host);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await engine.scheduler.start();
  return host;
}

function acceptSockets(server: Server, host: Host): WebSocketServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 });
  server.on("upgrade", (request, socket, head) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = SYNC_PATH.exec(pathname);
    const { origin } = request.headers;
    if (path === null || (origin !== undefined && !isLocalOrigin(origin))) {
      socket.end(`HTTP/1.1 ${path === null ? "404 Not Found" : "403 Forbidden"}\r\n\r\n`);
      return;
    }
    const [major, minor] = [Number(path[1]), Number(path[2])];
    const takesChunks = major > 1 || (major === 1 && minor >= 28);
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      new SyncSocket(host, webSocket, takesChunks);
    });
  });
  return sockets;
}
