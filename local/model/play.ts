// Plays one turn to one client: headers, events at their pace, the faults a script asks for. Every
// byte goes through here, so the log says what the socket was given and when the client left.

import type { ServerResponse } from "node:http";
import type { ModelLog, RequestRecord } from "./log.ts";
import {
  chunk,
  completion,
  deltasOf,
  finishOf,
  newCompletionId,
  usageChunk,
  usageOf,
  withIds,
} from "./openai.ts";
import type { ChatRequest } from "./request.ts";
import type { FramingScript, TurnScript } from "./script.ts";

const YIELD_EVERY_DELTAS = 32;

/** The client has gone; the play is over and already logged. */
class ClientGone extends Error {}

export async function play(
  log: ModelLog,
  record: RequestRecord,
  response: ServerResponse,
  request: ChatRequest,
  scripted: TurnScript,
): Promise<void> {
  const turn = withIds(scripted);
  const player = new Player(log, record, response, turn);
  try {
    await player.pause(turn.delayMs ?? 0);
    if (turn.fail?.status !== undefined) {
      await player.refuse(turn.fail.status, turn.fail.body, turn.fail.headers ?? {});
    } else if (turn.raw !== undefined || turn.rawBase64 !== undefined) {
      await player.raw(
        turn.raw !== undefined
          ? Buffer.from(turn.raw)
          : Buffer.from(turn.rawBase64 ?? "", "base64"),
      );
    } else if (request.stream === true) {
      await player.stream(request);
    } else {
      await player.whole(request);
    }
  } catch (error) {
    if (!(error instanceof ClientGone)) {
      record.over = true;
      log.write("error", record, {
        detail: error instanceof Error ? error.message : String(error),
      });
      response.destroy();
    }
  } finally {
    player.dispose();
  }
}

class Player {
  readonly #log: ModelLog;
  readonly #record: RequestRecord;
  readonly #response: ServerResponse;
  readonly #turn: TurnScript;
  readonly #framing: FramingScript;
  readonly #gone: Promise<never>;
  readonly #left: () => void;
  #isGone = false;
  #comments: NodeJS.Timeout | undefined;

  constructor(log: ModelLog, record: RequestRecord, response: ServerResponse, turn: TurnScript) {
    this.#log = log;
    this.#record = record;
    this.#response = response;
    this.#turn = turn;
    this.#framing = turn.framing ?? {};
    let fail: (error: Error) => void = () => undefined;
    this.#gone = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.#gone.catch(() => undefined);
    this.#left = () => {
      if (this.#isGone) return;
      this.#isGone = true;
      if (!record.over) {
        record.over = true;
        log.write("client-closed", record);
      }
      fail(new ClientGone());
    };
    const { socket } = response;
    socket?.setNoDelay(true);
    socket?.once("end", this.#left);
    socket?.once("close", this.#left);
    socket?.once("error", this.#left);
    if (socket === null || socket.destroyed) this.#left();
  }

  dispose(): void {
    clearInterval(this.#comments);
    const { socket } = this.#response;
    for (const event of ["end", "close", "error"]) socket?.off(event, this.#left);
  }

  async pause(ms: number): Promise<void> {
    if (this.#isGone) throw new ClientGone();
    if (ms <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    const time = new Promise<void>((settle) => {
      timer = setTimeout(settle, ms);
    });
    await Promise.race([time, this.#gone]).finally(() => clearTimeout(timer));
  }

  async refuse(status: number, body: unknown, headers: Record<string, string>): Promise<void> {
    const text =
      typeof body === "string"
        ? body
        : JSON.stringify(body ?? { error: { code: status, message: `scripted status ${status}` } });
    this.#response.writeHead(status, { "content-type": "application/json", ...headers });
    await this.#bytes(Buffer.from(text));
    this.#finish(`status ${status}`);
  }

  async whole(request: ChatRequest): Promise<void> {
    const { fail } = this.#turn;
    if (fail?.stallAfterDeltas !== undefined) await this.#gone;
    if (fail?.resetAfterDeltas !== undefined) return this.#reset();
    const model = request.model ?? "scripted";
    const document =
      fail?.errorChunkAfterDeltas === undefined
        ? completion(newCompletionId(), model, this.#turn, request)
        : { error: fail.error ?? DEFAULT_ERROR };
    const text = JSON.stringify(document);
    this.#response.writeHead(200, { "content-type": "application/json" });
    this.#log.write("first-byte", this.#record);
    for (const delta of deltasOf(this.#turn)) this.#record.text += delta.text;
    const cutShort = fail?.cutAfterDeltas !== undefined;
    await this.#bytes(Buffer.from(cutShort ? text.slice(0, Math.floor(text.length / 2)) : text));
    this.#finish(cutShort ? "cut" : "");
  }

  async raw(bytes: Buffer): Promise<void> {
    this.#response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    await this.pause(this.#turn.firstByteMs ?? 0);
    this.#log.write("first-byte", this.#record);
    await this.#bytes(bytes);
    this.#finish("raw");
  }

  async stream(request: ChatRequest): Promise<void> {
    const { fail = {}, deltaMs, deltasPerSecond } = this.#turn;
    const id = newCompletionId();
    const model = request.model ?? "scripted";
    const everyMs = deltaMs ?? (deltasPerSecond === undefined ? 0 : 1000 / deltasPerSecond);
    const every = this.#framing.commentEveryMs;
    this.#response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      "x-generation-id": id,
    });
    this.#response.flushHeaders();
    if (every !== undefined) {
      this.#comments = setInterval(() => void this.#comment().catch(() => undefined), every);
    }
    await this.pause(this.#turn.firstByteMs ?? 0);
    if (this.#framing.bom === true) await this.#bytes(Buffer.from([0xef, 0xbb, 0xbf]));
    this.#log.write("first-byte", this.#record);
    await this.#event(chunk(id, model, { role: "assistant", content: "" }, null));

    const deltas = deltasOf(this.#turn);
    const begun = performance.now();
    for (let sent = 0; ; sent++) {
      if (sent === fail.garbageAfterDeltas) await this.#data("{this is no JSON");
      if (sent === fail.cutAfterDeltas) return this.#finish("cut");
      if (sent === fail.resetAfterDeltas) return this.#reset();
      if (sent === fail.stallAfterDeltas) await this.#gone;
      if (sent === fail.errorChunkAfterDeltas) {
        await this.#event({
          ...chunk(id, model, { content: "" }, "error"),
          error: fail.error ?? DEFAULT_ERROR,
        });
        return this.#finish("error chunk");
      }
      const next = deltas[sent];
      if (next === undefined) break;
      // Against the clock and not from delta to delta: timers are late, the stream must not be.
      await this.pause(sent * everyMs - (performance.now() - begun));
      this.#record.text += next.text;
      await this.#event(chunk(id, model, next.delta, null));
      this.#record.deltas++;
      this.#log.advanced();
      // Flat out nothing else would get its turn, and a client that left would not be noticed.
      if (sent % YIELD_EVERY_DELTAS === 0) await new Promise((settle) => setImmediate(settle));
    }
    const finish = finishOf(this.#turn);
    if (finish !== null) await this.#event(chunk(id, model, {}, finish));
    const usage = usageOf(this.#turn, request);
    if (usage !== null) await this.#event(usageChunk(id, model, usage));
    if (this.#turn.done !== false && this.#framing.noDone !== true) {
      await this.#data(this.#framing.paddedDone === true ? " [DONE] " : "[DONE]", true);
    }
    this.#finish("");
  }

  #finish(detail: string): void {
    if (this.#isGone) throw new ClientGone();
    this.#record.over = true;
    this.#response.end();
    this.#log.write("finished", this.#record, detail === "" ? {} : { detail });
  }

  #reset(): void {
    this.#record.over = true;
    this.#log.write("finished", this.#record, { detail: "reset" });
    this.#response.socket?.resetAndDestroy();
  }

  #event(value: Record<string, unknown>): Promise<void> {
    return this.#data(JSON.stringify(value));
  }

  async #data(data: string, last = false): Promise<void> {
    if (this.#framing.comments === true) await this.#comment();
    const newline = this.#newline();
    const colon = this.#framing.noSpaceAfterColon === true ? ":" : ": ";
    const blank = last && this.#framing.noFinalBlankLine === true ? "" : newline;
    await this.#bytes(Buffer.from(`data${colon}${data}${newline}${blank}`));
  }

  #comment(): Promise<void> {
    const newline = this.#newline();
    return this.#bytes(Buffer.from(`: OPENROUTER PROCESSING${newline}${newline}`));
  }

  #newline(): string {
    return this.#framing.cr === true ? "\r" : this.#framing.crlf === true ? "\r\n" : "\n";
  }

  async #bytes(bytes: Buffer): Promise<void> {
    for (const piece of this.#pieces(bytes)) {
      if (this.#isGone) throw new ClientGone();
      this.#record.bytesSent += piece.length;
      if (!this.#response.write(piece)) await this.#drained();
      // A turn of the event loop between pieces: the kernel gets them as separate writes.
      if (piece.length < bytes.length) await new Promise((settle) => setImmediate(settle));
    }
  }

  async #drained(): Promise<void> {
    let drained: () => void = () => undefined;
    const room = new Promise<void>((settle) => {
      drained = settle;
      this.#response.once("drain", settle);
    });
    await Promise.race([room, this.#gone]).finally(() => this.#response.off("drain", drained));
  }

  #pieces(bytes: Buffer): Buffer[] {
    if (this.#framing.oneByteWrites === true) {
      return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
    }
    if (this.#framing.splitUtf8 !== true) return [bytes];
    const pieces: Buffer[] = [];
    let from = 0;
    for (let i = 1; i < bytes.length; i++) {
      // A continuation byte (10xxxxxx) behind a leading byte: cut between the two.
      const isContinuation = ((bytes[i] ?? 0) & 0xc0) === 0x80;
      const behindLead = ((bytes[i - 1] ?? 0) & 0xc0) === 0xc0;
      if (isContinuation && behindLead) {
        pieces.push(bytes.subarray(from, i));
        from = i;
      }
    }
    pieces.push(bytes.subarray(from));
    return pieces;
  }
}

const DEFAULT_ERROR = {
  code: 502,
  message: "Provider returned error",
  metadata: { error_type: "provider_unavailable", provider_name: "scripted" },
};
