// The websocket on which the official CLI waits for "your run has a new snapshot" (`run:notify`).
// It speaks the few engine.io 4 / socket.io 5 frames that the CLI's client uses, nothing more.
// It carries no state: a message that is lost is repaired by the CLI's own five-second poll.

import { randomUUID } from "node:crypto";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";

const NAMESPACE = "/dev-worker";
const PING_INTERVAL_MS = 25_000;
const PING_TIMEOUT_MS = 20_000;
const MAX_PAYLOAD_BYTES = 1_000_000;

export interface WorkerSockets {
  /** Tells everyone who subscribed to the run; returns how many that were. */
  notify(runId: string): number;
  /** Is a worker connected that has this run in hand? */
  hears(runId: string): boolean;
  connected(): number;
  close(): void;
}

export interface SocketOptions {
  server: Server;
  authorized: (request: IncomingMessage) => boolean;
  connected: () => void;
  disconnected: () => void;
  /** A (re-)connected worker listens to these runs: it may have missed a notification. */
  subscribed: (runIds: string[]) => void;
}

const RunIds = z.object({ version: z.literal("1"), runFriendlyIds: z.array(z.string()) });
const ClientEvent = z.tuple([z.string()]).rest(z.unknown());

export function openWorkerSockets(options: SocketOptions): WorkerSockets {
  const { server } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_PAYLOAD_BYTES });
  const subscriptions = new Map<WebSocket, Set<string>>();

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const speaks =
      url.pathname === "/socket.io/" &&
      url.searchParams.get("EIO") === "4" &&
      url.searchParams.get("transport") === "websocket";
    if (!speaks) refuse(socket, "404 Not Found");
    else if (!options.authorized(request)) refuse(socket, "401 Unauthorized");
    else sockets.handleUpgrade(request, socket, head, (ws) => serve(ws));
  };

  const serve = (ws: WebSocket): void => {
    const sid = randomUUID();
    let pongTimer: NodeJS.Timeout | undefined;
    const pinger = setInterval(() => {
      ws.send("2");
      clearTimeout(pongTimer);
      pongTimer = setTimeout(() => ws.terminate(), PING_TIMEOUT_MS);
    }, PING_INTERVAL_MS);
    ws.on("error", () => ws.terminate());
    ws.on("close", () => {
      clearInterval(pinger);
      clearTimeout(pongTimer);
      if (subscriptions.delete(ws)) options.disconnected();
    });
    ws.on("message", (data) => {
      const frame = data.toString();
      if (frame === "3") return clearTimeout(pongTimer);
      if (frame === "1") return ws.close();
      const packet = parse(frame);
      if (packet === undefined) return;
      if (packet.type === "connect") {
        ws.send(`40${NAMESPACE},${JSON.stringify({ sid: randomUUID() })}`);
        if (!subscriptions.has(ws)) {
          subscriptions.set(ws, new Set());
          options.connected();
        }
        return;
      }
      const runs = subscriptions.get(ws);
      if (packet.type === "disconnect" || runs === undefined) return ws.close();
      const ids = RunIds.safeParse(packet.data);
      if (!ids.success) return;
      if (packet.event === "run:subscribe") {
        for (const id of ids.data.runFriendlyIds) runs.add(id);
        options.subscribed(ids.data.runFriendlyIds);
      } else if (packet.event === "run:unsubscribe") {
        for (const id of ids.data.runFriendlyIds) runs.delete(id);
      }
    });
    const hello = {
      sid,
      upgrades: [],
      pingInterval: PING_INTERVAL_MS,
      pingTimeout: PING_TIMEOUT_MS,
      maxPayload: MAX_PAYLOAD_BYTES,
    };
    ws.send(`0${JSON.stringify(hello)}`);
  };

  server.on("upgrade", upgrade);
  return {
    notify(runId) {
      const message = JSON.stringify(["run:notify", { version: "1", run: { friendlyId: runId } }]);
      let told = 0;
      for (const [ws, runs] of subscriptions) {
        if (!runs.has(runId) || ws.readyState !== ws.OPEN) continue;
        ws.send(`42${NAMESPACE},${message}`);
        told++;
      }
      return told;
    },
    hears: (runId) => [...subscriptions.values()].some((runs) => runs.has(runId)),
    connected: () => subscriptions.size,
    close() {
      server.off("upgrade", upgrade);
      for (const ws of sockets.clients) ws.terminate();
      sockets.close();
    },
  };
}

type Packet =
  | { type: "connect" }
  | { type: "disconnect" }
  | { type: "event"; event: string; data: unknown };

/** `40/dev-worker,` connect, `41/dev-worker,` disconnect, `42/dev-worker,[name, data]` event. */
function parse(frame: string): Packet | undefined {
  const kind = frame.slice(0, 2);
  const rest = frame.slice(2);
  if (rest !== NAMESPACE && !rest.startsWith(`${NAMESPACE},`)) return undefined;
  if (kind === "40") return { type: "connect" };
  if (kind === "41") return { type: "disconnect" };
  if (kind !== "42") return undefined;
  try {
    const event = ClientEvent.safeParse(JSON.parse(rest.slice(NAMESPACE.length + 1)));
    if (!event.success) return undefined;
    return { type: "event", event: event.data[0], data: event.data[1] };
  } catch {
    return undefined;
  }
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
