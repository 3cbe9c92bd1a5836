// The product's own message functions over plain maps: as strict as the deployment, and quick enough
// for a thousand runs. One call at a time, as transactions are.

import type { MutationCtx } from "../../app/convex/_generated/server";
import * as messages from "../../app/convex/model/messages.ts";

export interface StoredMessage {
  _id: string;
  _creationTime: number;
  projectId: string;
  conversationId: string;
  role: string;
  content: string;
  status?: string;
  toolCalls?: { id: string; name: string; args: Record<string, unknown>; result?: unknown }[];
}

type Args = Record<string, unknown>;

class Equals {
  readonly wanted: [string, unknown][] = [];

  eq(field: string, value: unknown): this {
    this.wanted.push([field, value]);
    return this;
  }
}

export class Store {
  readonly messages = new Map<string, StoredMessage>();
  readonly files = new Map<string, Map<string, string>>();
  /** Effects of tools, by project and path. */
  readonly changes = new Map<string, number>();
  /** Times of the log's lines, by project and path. */
  readonly lines = new Map<string, Set<number>>();
  readonly #other = new Map<string, Record<string, unknown>>();
  readonly #ctx: MutationCtx;
  #turn: Promise<unknown> = Promise.resolve();
  #next = 1;

  constructor() {
    const find = (id: string) => this.messages.get(id) ?? this.#other.get(id);
    // The part of the database that these functions use.
    const db = {
      normalizeId: (_table: string, id: string) => (find(id) === undefined ? null : id),
      get: async (id: string) => find(id) ?? null,
      patch: async (id: string, change: Record<string, unknown>) => {
        Object.assign(find(id) ?? {}, change);
      },
      // Messages by the fields of an index, as far as they are compared with `eq`.
      query: (_table: string) => ({
        withIndex: (_name: string, range: (q: Equals) => Equals) => {
          const { wanted } = range(new Equals());
          const fits = (message: StoredMessage) =>
            wanted.every(([field, value]) => message[field as keyof StoredMessage] === value);
          const found = () => [...this.messages.values()].filter(fits);
          return {
            first: async () => found()[0] ?? null,
            [Symbol.asyncIterator]: async function* () {
              yield* found();
            },
          };
        },
      }),
    };
    this.#ctx = { db } as unknown as MutationCtx;
  }

  /** A conversation of one user message, and its empty answer. Returns the answer's id. */
  add(user: string): string {
    const n = this.#next++;
    const [projectId, conversationId, messageId] = [`p${n}`, `c${n}`, `m${n}`];
    this.#other.set(projectId, { _id: projectId });
    this.#other.set(conversationId, { _id: conversationId, projectId, user });
    this.files.set(projectId, new Map());
    const message = { projectId, conversationId, role: "assistant", content: "" };
    this.messages.set(messageId, {
      ...message,
      _id: messageId,
      _creationTime: n,
      status: "processing",
    });
    return messageId;
  }

  call(name: string, args: Args): Promise<unknown> {
    const done = this.#turn.then(() => this.#answer(name, args));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #answer(name: string, args: Args): Promise<unknown> {
    const ctx = this.#ctx;
    // The arguments are the core's own; its contract test holds them against the validators.
    const given = args as never;
    const path = String(args.path);
    switch (name) {
      case "beginMessage":
        return await messages.beginMessage(ctx, given);
      case "getMessageById":
        return this.messages.get(String(args.messageId)) ?? null;
      case "getMessageContext": {
        const message = this.messages.get(String(args.messageId));
        const { projectId = "", conversationId = "" } = message ?? {};
        const content = this.#other.get(conversationId)?.user;
        return { projectId, conversationId, messages: [{ role: "user", content }] };
      }
      case "streamMessageContent":
        return await messages.streamContent(ctx, given);
      case "appendMessageContent":
        return await messages.appendContent(ctx, given);
      case "updateMessageContent":
        return await messages.finishMessage(ctx, given);
      case "cancelMessage":
        return await messages.cancelMessage(ctx, given);
      case "renewLease":
        return await messages.renewLease(ctx, given);
      case "saveToolCalls": {
        const { changes, ...write } = args;
        const result = await messages.saveToolCalls(ctx, write as never);
        if (!result.applied || changes === undefined) return result;
        return { ...result, changes: (changes as Args[]).map((each) => this.#change(each)) };
      }
      case "readFileByPath": {
        const content = this.#project(args).get(path);
        return content === undefined ? null : { kind: "file", content, updatedAt: 0 };
      }
      case "writeFileByPath": {
        await messages.requireLiveRun(ctx, args.guard as never);
        return this.#change(args);
      }
      default:
        throw new Error(`the soak's store has no ${name}`);
    }
  }

  /** Writes a file, unless the line says that it is written. */
  #change(args: Args): { before: number; updatedAt: number } {
    const key = `${String(args.projectId)}/${String(args.path)}`;
    const { createdAt } = args.line as { createdAt: number };
    const lines = this.lines.get(key) ?? new Set();
    this.lines.set(key, lines);
    if (!lines.has(createdAt)) {
      lines.add(createdAt);
      this.changes.set(key, (this.changes.get(key) ?? 0) + 1);
      this.#project(args).set(String(args.path), String(args.content));
    }
    return { before: 0, updatedAt: 0 };
  }

  #project({ projectId }: Args): Map<string, string> {
    const files = this.files.get(String(projectId));
    if (files === undefined) throw new Error(`there is no project ${String(projectId)}`);
    return files;
  }
}
