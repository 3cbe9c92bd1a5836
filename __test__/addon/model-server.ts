// A model on the loopback interface whose every step the test takes itself: it sees each request, sends
// what the test says when the test says it, and tells when the client has hung up.

import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface ChatRequest {
  model: string;
  messages: { role: string; content: string | null; tool_call_id?: string }[];
  tools?: { function: { name: string; description: string; parameters: object } }[];
}

export class Exchange {
  readonly request: ChatRequest;
  /** Settles when the client has closed the connection before the answer's end. */
  readonly hungUp: Promise<void>;
  readonly #response: ServerResponse;
  #ended = false;

  constructor(request: ChatRequest, response: ServerResponse) {
    this.request = request;
    this.#response = response;
    this.hungUp = new Promise((settle) => {
      response.once("close", () => {
        if (!this.#ended) settle();
      });
    });
  }

  text(content: string): this {
    return this.#chunk({ content }, null);
  }

  toolCall(index: number, id: string, name: string, args: unknown): this {
    const call = {
      index,
      id,
      type: "function",
      function: { name, arguments: JSON.stringify(args) },
    };
    return this.#chunk({ tool_calls: [call] }, null);
  }

  finish(reason = "stop"): void {
    this.#chunk({}, reason);
    this.#ended = true;
    this.#response.end("data: [DONE]\n\n");
  }

  refuse(status: number, message: string): void {
    this.#ended = true;
    this.#response.writeHead(status, { "content-type": "application/json" });
    this.#response.end(JSON.stringify({ error: { message } }));
  }

  #chunk(delta: object, finish_reason: string | null): this {
    if (!this.#response.headersSent) {
      this.#response.writeHead(200, { "content-type": "text/event-stream" });
    }
    const body = {
      id: "c",
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason }],
    };
    this.#response.write(`data: ${JSON.stringify(body)}\n\n`);
    return this;
  }
}

export interface ModelServer {
  /** For POLARIS_PRIMARY_BASE_URL. */
  readonly url: string;
  readonly exchanges: readonly Exchange[];
  close(): Promise<void>;
}

export async function startModelServer(answer: (exchange: Exchange) => void): Promise<ModelServer> {
  const exchanges: Exchange[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const exchange = new Exchange(JSON.parse(Buffer.concat(parts).toString("utf8")), response);
    exchanges.push(exchange);
    answer(exchange);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    exchanges,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** For `startRun` in this process. */
export function useModel(url: string): void {
  process.env.POLARIS_PRIMARY_BASE_URL = url;
  process.env.POLARIS_PRIMARY_MODEL = "test";
}
