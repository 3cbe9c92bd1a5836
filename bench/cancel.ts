// How soon a cancel is where it counts: at the model, whose socket closes and which stops to write and
// to bill. First the client alone against a peer's, then the whole way from `runs.cancel` through the
// official CLI, its worker and the addon.

import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { messages, World } from "../__test__/end-to-end/fixtures/world.ts";
import { label } from "./harness.ts";
import { digits, median, type Row } from "./report.ts";
import type { Suite } from "./suites.ts";

/** For a run, a cancel that a person can trust. */
const MAX_CLOSED_MS = 100;
/** Streams that a process has open at a time. */
const AT_ONCE = 10;
const DELTA_INTERVAL_MS = 10;
/** A text that ends long after the cancel, at 100 deltas a second. */
const STORY = "The north star stands still while the others turn. ".repeat(320);
const DELTAS_BEFORE_CANCEL = 20;
const CHILD = fileURLToPath(new URL("cancel-child.mjs", import.meta.url));

export const cancel: Suite = async ({ harness, sizes, runs, standIn }) => {
  const { streams, throughCli } = sizes.cancels;
  const server = await StreamServer.start();
  const [ours, peer]: [number[], number[]] = [[], []];
  const theirs = standIn("ai-anthropic") === "ai-anthropic" ? "aiAnthropic" : "polaris";
  try {
    for (let n = 0; n < runs; n++) {
      const one = async () => {
        ours.push(...(await server.cancelled("polaris", streams, harness.addon)));
      };
      const other = async () => {
        peer.push(...(await server.cancelled(theirs, streams, harness.addon)));
      };
      for (const measure of n % 2 === 0 ? [one, other] : [other, one]) await measure();
    }
  } finally {
    await server.close();
  }
  const { closed, final } = await fromTheRunner(throughCli * runs);
  const named = { peer: label("ai-anthropic"), unit: "ms" };
  const row = (metric: string, value: number, atMost?: number): Row => ({
    metric,
    unit: "ms",
    ours: digits(value),
    ...(atMost === undefined ? { met: null } : { atMost, met: value <= atMost }),
  });
  return [
    {
      ...row(
        `cancel to the model's socket closed, p99 of ${ours.length}`,
        p99(ours),
        MAX_CLOSED_MS,
      ),
      ...named,
      peerValue: digits(p99(peer)),
    },
    {
      ...row("cancel to the model's socket closed, median", median(ours)),
      ...named,
      peerValue: digits(median(peer)),
    },
    row(
      `runs.cancel to the model's socket closed, worst of ${closed.length}`,
      Math.max(...closed),
      MAX_CLOSED_MS,
    ),
    row("runs.cancel to the model's socket closed, median", median(closed)),
    row("runs.cancel to the run's final state, median", median(final)),
  ];
};

function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
}

/** A model that streams until its client is gone, and notes when that was. */
class StreamServer {
  readonly #server = createServer((request, response) => this.#stream(request, response));
  /** Epoch milliseconds, by the path of a stream. */
  readonly #closed = new Map<string, Promise<number>>();

  static async start(): Promise<StreamServer> {
    const server = new StreamServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  /** What each of `streams` cancels of a client took, in milliseconds. */
  async cancelled(client: string, streams: number, addon: string | undefined): Promise<number[]> {
    this.#closed.clear();
    const { port } = this.#server.address() as AddressInfo;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [CHILD, client, `http://127.0.0.1:${port}`, String(streams), String(AT_ONCE)],
      {
        env: {
          ...process.env,
          ...(addon === undefined ? {} : { POLARIS_NATIVE_LIBRARY_PATH: addon }),
        },
      },
    );
    const asked = Object.entries(JSON.parse(stdout) as Record<string, number>);
    return await Promise.all(
      asked.map(async ([path, at]) => {
        const closed = await this.#closed.get(path);
        if (closed === undefined) throw new Error(`${path} was never asked for`);
        return closed - at;
      }),
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const [path = "", endpoint = ""] = (request.url ?? "").split("/v1/");
    const wire = endpoint === "messages" ? ANTHROPIC : CHAT;
    request.resume();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(wire.begin);
    const timer = setInterval(() => response.write(wire.delta), DELTA_INTERVAL_MS);
    const closed = once(response, "close").then(() => performance.timeOrigin + performance.now());
    closed.then(() => clearInterval(timer));
    this.#closed.set(path, closed);
  }
}

/** What a stream begins with, and one delta of it. */
interface Wire {
  begin: string;
  delta: string;
}

const event = (data: { type?: string; [field: string]: unknown }) =>
  `${data.type === undefined ? "" : `event: ${data.type}\n`}data: ${JSON.stringify(data)}\n\n`;

const CHAT: Wire = {
  begin: ": PROCESSING\n\n",
  delta: event({ id: "gen", choices: [{ index: 0, delta: { content: "star " } }] }),
};

const ANTHROPIC: Wire = {
  begin:
    event({
      type: "message_start",
      message: {
        id: "msg",
        type: "message",
        role: "assistant",
        model: "bench",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 1 },
      },
    }) +
    event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
  delta: event({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: "star " },
  }),
};

/** Messages that are cancelled on the runner while they stream, in milliseconds. */
async function fromTheRunner(count: number): Promise<{ closed: number[]; final: number[] }> {
  const world = await World.start("bench-cancel");
  const [closed, final]: [number[], number[]] = [[], []];
  try {
    // The first has a new worker process.
    for (let n = 0; n <= count; n++) {
      const sent = await world.send("Cancel me", [{ text: STORY, deltasPerSecond: 100 }]);
      await Promise.all([sent.hasText(), sent.streamed(DELTAS_BEFORE_CANCEL)]);
      await messages.cancel({ messageId: sent.messageId });
      await sent.final();
      const gone = await world.model.waitFor({ contains: sent.text, type: "client-closed" });
      const asked = await world.runs.until("cancel requested", sent.runId);
      const finished = await world.runs.until("finished", sent.runId);
      if (n === 0) continue;
      // The socket may close before: the message's status is set first, and the run sees it.
      closed.push(Math.max(0, gone.at - asked.at));
      final.push(Math.max(0, finished.at - asked.at));
    }
    return { closed, final };
  } finally {
    await world.close();
  }
}
