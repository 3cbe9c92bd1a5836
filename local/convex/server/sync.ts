// One websocket of the sync protocol (npm convex 1.48.0, src/browser/sync/protocol.ts): a set of
// live queries, mutations one at a time, actions side by side. A Transition always shows all queries
// of the socket at one timestamp. A slow socket gets fewer Transitions, never stale ones later.
import type { WebSocket } from "ws";
import { AuthFailure } from "../engine/auth.ts";
import type { Caller } from "../engine/frame.ts";
import type { LiveQuery } from "../engine/live.ts";
import { faultBody } from "./faults.ts";
import type { Host } from "./host.ts";
import { decodeTs } from "./http.ts";
import { ANONYMOUS, adminCaller } from "./identity.ts";
import {
  type ClientMessage,
  responseJson,
  resultJson,
  splitText,
  type Version,
  versionJson,
} from "./sync-messages.ts";

interface Shown {
  live: LiveQuery;
  journal: string | null;
  /** What the client was sent last. */
  sent: string | undefined;
}

const PING_MS = 15_000;
/** A socket that says nothing for so long, not even a pong, is gone. */
const SILENCE_MS = 120_000;
const MAX_QUEUED_MUTATIONS = 1000;
/** Clients since 1.28 take larger messages in parts of this many characters. */
const CHUNK_LENGTH = 5_000_000;
/** With so much unsent, new results wait, so that the client skips what it would see too late. */
const MAX_BUFFERED_BYTES = 4_000_000;
const DRAIN_CHECK_MS = 20;
/** A clock may differ by this much before a client's timestamp is taken for nonsense. */
const MAX_AHEAD_NS = 24n * 60n * 60n * 1_000_000_000n;

export class SyncSocket {
  readonly #host: Host;
  readonly #socket: WebSocket;
  readonly #takesChunks: boolean;
  readonly #queries = new Map<number, Shown>();
  readonly #removed = new Set<number>();
  #session = "";
  #caller: Caller = ANONYMOUS;
  #expiresAt = Number.POSITIVE_INFINITY;
  /** After a refused token, requests wait for the client's next one. */
  #needsToken = false;
  /** What the client has been told, and what it will be told next. */
  #version: Version = { querySet: 0, identity: 0, ts: 0n };
  #target = { querySet: 0, identity: 0 };
  #inbox: Promise<void> = Promise.resolve();
  #mutations: Promise<void> = Promise.resolve();
  #queuedMutations = 0;
  #isUpdating = false;
  #isDirty = false;
  #mustSend = false;
  #clientClockSkew: number | undefined;
  #transitions = 0;
  #lastSent = performance.now();
  #lastHeard = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(host: Host, socket: WebSocket, takesChunks: boolean) {
    this.#host = host;
    this.#socket = socket;
    this.#takesChunks = takesChunks;
    socket.on("message", (data) => this.#receive(String(data)));
    socket.on("pong", () => {
      this.#lastHeard = performance.now();
    });
    socket.on("error", () => socket.terminate());
    socket.on("close", () => this.#close());
    this.#timer = setInterval(() => this.#keepAlive(), PING_MS / 3);
  }

  onStale(): void {
    this.#schedule();
  }

  #close(): void {
    clearInterval(this.#timer);
    for (const { live } of this.#queries.values()) this.#host.live.unsubscribe(this, live);
    this.#queries.clear();
  }

  #keepAlive(): void {
    const now = performance.now();
    if (now - this.#lastHeard > SILENCE_MS) {
      this.#socket.terminate();
    } else if (now - this.#lastSent >= PING_MS) {
      this.#socket.ping();
      this.#send('{"type":"Ping"}');
    }
  }

  // ---- from the client ----

  #receive(text: string): void {
    this.#lastHeard = performance.now();
    this.#inbox = this.#inbox.then(async () => {
      if (this.#socket.readyState !== this.#socket.OPEN) return;
      try {
        await this.#handle(JSON.parse(text) as ClientMessage);
      } catch (error) {
        this.#fatal(error instanceof Error ? error.message : String(error));
      }
    });
  }

  async #handle(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case "Connect":
        return this.#connect(message);
      case "Authenticate":
        return await this.#authenticate(message);
      case "ModifyQuerySet":
        if (!this.#needsToken) this.#modify(message);
        return;
      case "Mutation":
        if (!this.#needsToken) this.#queueMutation(message);
        return;
      case "Action":
        if (!this.#needsToken) void this.#request(message);
        return;
      case "Event":
        return;
      default:
        throw new Error(`unknown message type: ${JSON.stringify(message)}`);
    }
  }

  #connect(message: Extract<ClientMessage, { type: "Connect" }>): void {
    this.#session = message.sessionId;
    if (message.clientTs !== undefined) this.#clientClockSkew = message.clientTs - Date.now();
    if (message.maxObservedTimestamp === undefined) return;
    const observed = decodeTs(message.maxObservedTimestamp);
    const { engine } = this.#host;
    if (observed > engine.lastTs + MAX_AHEAD_NS) {
      throw new Error("Client has observed a timestamp that is too far in the future");
    }
    engine.observe(observed);
  }

  async #authenticate(message: Extract<ClientMessage, { type: "Authenticate" }>): Promise<void> {
    if (message.baseVersion !== this.#target.identity) {
      throw new Error(
        `Base version ${message.baseVersion} passed up doesn't match the current identity version`,
      );
    }
    try {
      this.#caller = await this.#callerOf(message);
    } catch (error) {
      if (!(error instanceof AuthFailure)) throw error;
      this.#needsToken = true;
      this.#authError(error.message, true);
      return;
    }
    this.#needsToken = false;
    this.#target.identity = message.baseVersion + 1;
    for (const shown of this.#queries.values()) {
      const { live } = shown;
      shown.live = this.#subscribe(live.path, live.argsJson, shown.journal);
      if (shown.live !== live) this.#host.live.unsubscribe(this, live);
    }
    this.#schedule(true);
  }

  async #callerOf(message: Extract<ClientMessage, { type: "Authenticate" }>): Promise<Caller> {
    this.#expiresAt = Number.POSITIVE_INFINITY;
    if (message.tokenType === "None") return ANONYMOUS;
    if (message.tokenType === "Admin") return adminCaller(message.value ?? "", this.#host.adminKey);
    const { identity, expiresAt } = await this.#host.authenticator.verify(message.value ?? "");
    this.#expiresAt = expiresAt;
    return { identity, isTrusted: false };
  }

  #authError(error: string, authUpdateAttempted: boolean): void {
    const baseVersion = this.#target.identity;
    this.#send(JSON.stringify({ type: "AuthError", error, baseVersion, authUpdateAttempted }));
  }

  /** Tells the client once that its token has run out; it will come with a new one. */
  #isExpired(): boolean {
    if (Date.now() < this.#expiresAt) return false;
    this.#needsToken = true;
    this.#expiresAt = Number.POSITIVE_INFINITY;
    this.#authError("Token expired", false);
    return true;
  }

  #modify(message: Extract<ClientMessage, { type: "ModifyQuerySet" }>): void {
    if (message.baseVersion !== this.#target.querySet) {
      throw new Error(
        `Base version ${message.baseVersion} passed up doesn't match the current query set version`,
      );
    }
    this.#target.querySet = message.newVersion;
    for (const change of message.modifications) {
      if (change.type === "Add") {
        const journal = change.journal ?? null;
        const live = this.#subscribe(change.udfPath, JSON.stringify(change.args[0] ?? {}), journal);
        this.#queries.set(change.queryId, { live, journal, sent: undefined });
        this.#removed.delete(change.queryId);
      } else {
        const shown = this.#queries.get(change.queryId);
        if (shown === undefined) continue;
        this.#queries.delete(change.queryId);
        this.#removed.add(change.queryId);
        if (![...this.#queries.values()].some(({ live }) => live === shown.live)) {
          this.#host.live.unsubscribe(this, shown.live);
        }
      }
    }
    this.#schedule(true);
  }

  #subscribe(path: string, argsJson: string, journal: string | null): LiveQuery {
    return this.#host.live.subscribe(this, path, argsJson, this.#caller, journal);
  }

  #queueMutation(message: Extract<ClientMessage, { type: "Mutation" | "Action" }>): void {
    if (this.#queuedMutations >= MAX_QUEUED_MUTATIONS) {
      this.#socket.close(1013, "TooManyConcurrentMutations");
      return;
    }
    this.#queuedMutations++;
    const caller = this.#caller;
    this.#mutations = this.#mutations.then(async () => {
      await this.#request(message, caller);
      this.#queuedMutations--;
    });
  }

  async #request(
    message: Extract<ClientMessage, { type: "Mutation" | "Action" }>,
    caller = this.#caller,
  ): Promise<void> {
    if (this.#isExpired()) return;
    const { requestId, udfPath } = message;
    const isMutation = message.type === "Mutation";
    const reply = await this.#host.calls.perform({
      kind: isMutation ? "mutation" : "action",
      path: udfPath,
      argsJson: JSON.stringify(message.args[0] ?? {}),
      caller,
      ...(isMutation ? { request: { session: this.#session, request: requestId } } : {}),
    });
    if (reply.type === "refused") {
      this.#socket.close(1013, faultBody(reply.status).code);
      return;
    }
    if (reply.drop) {
      this.#socket.terminate();
      return;
    }
    this.#send(responseJson(message.type, requestId, reply.outcome));
    // The client waits for a Transition at least as late as its mutation, even an empty one.
    if (isMutation) this.#schedule(true);
  }

  // ---- to the client ----

  #schedule(mustSend = false): void {
    this.#isDirty = true;
    this.#mustSend ||= mustSend;
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    void this.#update().catch((error: unknown) => this.#fatal(String(error)));
  }

  async #update(): Promise<void> {
    try {
      while (this.#isDirty && this.#socket.readyState === this.#socket.OPEN) {
        await this.#drained();
        if (this.#isExpired()) return;
        await this.#host.engine.exclusive(async () => {
          this.#isDirty = false;
          for (const { live } of this.#queries.values()) await this.#host.live.refresh(live);
          this.#transition();
        });
      }
    } finally {
      this.#isUpdating = false;
    }
  }

  async #drained(): Promise<void> {
    while (
      this.#socket.readyState === this.#socket.OPEN &&
      this.#socket.bufferedAmount > MAX_BUFFERED_BYTES
    ) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_CHECK_MS));
    }
  }

  #transition(): void {
    const modifications: string[] = [];
    for (const queryId of this.#removed) {
      modifications.push(JSON.stringify({ type: "QueryRemoved", queryId }));
    }
    this.#removed.clear();
    for (const [queryId, shown] of this.#queries) {
      const result = resultJson(shown.live);
      if (result === shown.sent) continue;
      shown.sent = result;
      shown.journal = shown.live.journal;
      modifications.push(`{"queryId":${queryId},${result}}`);
    }
    if (modifications.length === 0 && !this.#mustSend) return;
    this.#mustSend = false;
    const start = this.#version;
    const end = { ...this.#target, ts: this.#host.engine.lastTs };
    this.#version = end;
    // Nanoseconds, which no number of JavaScript holds exactly: written as text.
    const skew =
      this.#clientClockSkew === undefined ? "" : `,"clientClockSkew":${this.#clientClockSkew}`;
    this.#sendTransition(
      `{"type":"Transition","startVersion":${versionJson(start)},"endVersion":${versionJson(end)},` +
        `"modifications":[${modifications.join(",")}]${skew},"serverTs":${Date.now()}000000}`,
    );
  }

  #sendTransition(json: string): void {
    if (json.length <= CHUNK_LENGTH || !this.#takesChunks) {
      this.#send(json);
      return;
    }
    const parts = splitText(json, CHUNK_LENGTH);
    const transitionId = `${this.#session}-${++this.#transitions}`;
    for (const [partNumber, chunk] of parts.entries()) {
      const totalParts = parts.length;
      this.#send(
        JSON.stringify({ type: "TransitionChunk", chunk, partNumber, totalParts, transitionId }),
      );
    }
  }

  #fatal(error: string): void {
    this.#send(JSON.stringify({ type: "FatalError", error }));
    this.#socket.close(1011, "FatalError");
  }

  #send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#lastSent = performance.now();
    this.#socket.send(text);
  }
}
