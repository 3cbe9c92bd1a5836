// Plays paths of the model on the product's own Convex functions (app/convex, on convex-test) and
// compares, call by call, what they answer and store with what the model says. Numbers of writes are
// the core's: one for each write that goes out, the same one when it is repeated.

import { ConvexError } from "convex/values";
import { convexTest } from "convex-test";
import { api, internal } from "../../app/convex/_generated/api.js";
import type { Doc, Id } from "../../app/convex/_generated/dataModel.js";
import { JOURNAL_ID, journalOf, visibleCalls } from "../../app/convex/model/journal.ts";
import schema from "../../app/convex/schema.ts";
import { nameOf } from "./explore.ts";
import { brokenBy } from "./invariants.ts";
import type { Step } from "./model.ts";
import type { Answer, Call, Stored } from "./store.ts";
import { CREATED, FAILURE_TEXT, TURN } from "./store.ts";

const KEY = { internalKey: "state-model-key" };
const PATH = "src/a.ts";
const TOOL_CALL = { id: "c1", name: "writeFile", args: { path: PATH, content: "a" } };
/** Longer than a lease, and than a run may wait for its turn. */
const LATE_MS = 25 * 60 * 60 * 1_000;
/** convex-test looks through all documents for each query: a new one now and then is quicker. */
const MESSAGES_PER_BACKEND = 50;

const { system } = api;

export interface Mismatch {
  /** Which invariant the real functions break, if one; else they only differ from the model. */
  invariants: string[];
  text: string;
}

/** The numbers of one worker's writes. */
interface Numbers {
  /** What `beginMessage` has said last, and what the worker has heard of it: effects carry that. */
  told: number;
  base: number;
  last: number;
  flight: number;
  stray: number;
}

export class Replay {
  #backend = backend();
  #messages = 0;
  calls = 0;

  /** Plays one path from the creation of its message; what is wrong, if anything. */
  async play(path: readonly Step[]): Promise<Mismatch | undefined> {
    if (++this.#messages % MESSAGES_PER_BACKEND === 0) this.#backend = backend();
    const subject = await this.#create();
    const numbers: [Numbers, Numbers] = [zero(), zero()];
    let before: Stored = CREATED;
    for (const [at, step] of path.entries()) {
      const { action, call, answer, state } = step;
      const worker = action.by === undefined ? undefined : numbers[action.by - 1];
      if (call !== undefined && answer !== undefined) {
        const late = action.kind === "arrives late";
        const number = worker === undefined ? 0 : late ? worker.stray : worker.flight;
        const real = await this.#ask(subject, call, number, worker);
        const after = await this.#stored(subject, state.stored);
        this.calls++;
        const different = [...differences(real, answer), ...differences(after, state.stored)];
        const invariants = brokenBy(before, call, real, after);
        if (different.length > 0 || invariants.length > 0) {
          const way = path.slice(0, at + 1).map(nameOf);
          const text = `${way.join(" → ")}\n  ${JSON.stringify(call)}\n  ${different.join("\n  ")}`;
          return { invariants, text };
        }
        before = after;
      }
      if (worker !== undefined) number(worker, step);
    }
    return undefined;
  }

  async #create(): Promise<Subject> {
    const projectId = await this.#backend.mutation(system.createProject, {
      ...KEY,
      name: "p",
      ownerId: "o",
    });
    const where = { ...KEY, projectId };
    const conversationId = await this.#backend.mutation(system.createConversation, {
      ...where,
      title: "t",
    });
    const messageId = await this.#backend.mutation(system.createMessage, {
      ...{ ...where, conversationId, role: "assistant", content: "", status: "processing" },
    } as never);
    const subject = { projectId, messageId, checks: 0 };
    subject.checks = await this.#checks(subject);
    if (subject.checks !== 1) throw new Error("a new message has no check of its lease");
    return subject;
  }

  /** How often the check of the message's lease has been scheduled. */
  #checks({ messageId }: Subject): Promise<number> {
    return this.#backend.run(async (ctx) => {
      const all = await ctx.db.system.query("_scheduled_functions").collect();
      return all.filter(({ args }) => (args[0] as { messageId?: string }).messageId === messageId)
        .length;
    });
  }

  async #ask(
    subject: Subject,
    call: Call,
    seq: number,
    worker: Numbers | undefined,
  ): Promise<Answer> {
    const { messageId, projectId } = subject;
    const message = { ...KEY, messageId };
    // Until it has been told a number, a worker writes without one.
    const write = { ...message, ...(worker?.base === 0 ? {} : { seq }) };
    const backend = this.#backend;
    switch (call.fn) {
      case "begin": {
        const begun = await backend.mutation(system.beginMessage, {
          ...{ ...message, runId: "run", attempt: call.by, resume: true, worker: `w${call.by}` },
        });
        const applied = begun.state === "run";
        if (worker !== undefined && applied) worker.told = begun.seq ?? 0;
        const why = begun.state === "superseded" ? { why: "superseded" as const } : {};
        return { status: begun.status, applied, ...why };
      }
      case "text":
      case "end": {
        const status = call.fn === "end" ? { status: call.status } : {};
        if (call.base !== null) {
          const tail = { offset: call.base.length, text: call.text.slice(call.base.length) };
          const args = { ...write, ...tail, ...status };
          return said(await backend.mutation(system.appendMessageContent, args));
        }
        const { text: content } = call;
        if (call.fn === "text") {
          return said(await backend.mutation(system.streamMessageContent, { ...write, content }));
        }
        const error = { code: "MODEL_AUTH", message: "The key was refused." };
        const why = call.status === "failed" ? { error } : {};
        const args = { ...write, content, ...status, ...why };
        return said(await backend.mutation(system.updateMessageContent, args));
      }
      case "turn": {
        const turn = { step: 1, data: { end: TURN.length } };
        const args = { ...write, toolCalls: [TOOL_CALL], content: call.text, turn };
        return said(await backend.mutation(system.saveToolCalls, args));
      }
      case "result": {
        const content = call.text === null ? {} : { content: call.text };
        const args = { ...write, toolCalls: [{ ...TOOL_CALL, result: "done" }], ...content };
        return said(await backend.mutation(system.saveToolCalls, args));
      }
      case "effect": {
        const guard = { messageId, seq: worker?.base ?? 0 };
        const args = { ...KEY, projectId, path: PATH, content: "a", guard };
        const code = await codeOf(backend.mutation(system.writeFileByPath, args));
        const { status } = await this.#stored(subject, CREATED);
        if (code === undefined) return { status, applied: true };
        return { status, applied: false, ...(status === "processing" ? { why: code } : {}) };
      }
      case "renew":
        return said(await backend.mutation(system.renewLease, write));
      case "cancelled":
        return said(await backend.mutation(system.cancelMessage, { ...write, content: call.text }));
      case "cancel":
        return said(await backend.mutation(system.cancelMessage, message));
      case "run id": {
        const args = { ...message, triggerRunId: "run" };
        return said(await backend.mutation(system.updateMessageTriggerRunId, args));
      }
      case "trigger failed": {
        const args = { ...message, content: FAILURE_TEXT, status: "failed" as const };
        return said(await backend.mutation(system.updateMessageContent, args));
      }
      case "repair": {
        if (call.status === "cancelled") {
          return said(await backend.mutation(system.cancelMessage, message));
        }
        const { text } = await this.#stored(subject, CREATED);
        const error = { code: "RUN_LOST", message: "The run ended without a word." };
        const args = { ...message, content: text || FAILURE_TEXT, status: call.status, error };
        return said(await backend.mutation(system.updateMessageContent, args));
      }
      case "check":
        return await this.#check(subject, call.late);
    }
  }

  async #check(subject: Subject, late: boolean): Promise<Answer> {
    const known = subject.checks;
    const before = await this.#stored(subject, CREATED);
    const { now } = Date;
    if (late) Date.now = () => now() + LATE_MS;
    try {
      await this.#backend.mutation(internal.leases.check, { messageId: subject.messageId });
    } finally {
      Date.now = now;
    }
    subject.checks = await this.#checks(subject);
    const { status } = await this.#stored(subject, CREATED);
    const again = subject.checks > known ? { again: true } : {};
    return { status, applied: status !== before.status, ...again };
  }

  /** What is stored, in the model's words. The owner is known while the message is processing. */
  async #stored({ messageId, projectId }: Subject, expected: Stored): Promise<Stored> {
    const { message, file } = await this.#backend.run(async (ctx) => ({
      message: await ctx.db.get(messageId),
      file: await ctx.db
        .query("files")
        .withIndex("by_project", (q) => q.eq("projectId", projectId))
        .filter((q) => q.eq(q.field("type"), "file"))
        .first(),
    }));
    if (message === null) throw new Error("the message is gone");
    const [call] = visibleCalls(message.toolCalls);
    const status = message.status ?? "completed";
    const journal = journalOf(message.toolCalls);
    const final = status !== "processing";
    if (final && journal !== undefined) throw new Error("a final message has a journal");
    return {
      status,
      text: message.content,
      call: call === undefined ? "none" : call.result === undefined ? "open" : "done",
      owner: final ? expected.owner : ((journal?.attempt ?? 0) as Stored["owner"]),
      runId: message.triggerRunId !== undefined,
      error: errorOf(message),
      file: file !== null,
    };
  }
}

interface Subject {
  projectId: Id<"projects">;
  messageId: Id<"messages">;
  checks: number;
}

function backend() {
  process.env.POLARIS_CONVEX_INTERNAL_KEY = KEY.internalKey;
  return convexTest({
    schema,
    modules: {
      "./app/convex/_generated/api.js": () => import("../../app/convex/_generated/api.js"),
      "./app/convex/leases.ts": () => import("../../app/convex/leases.ts"),
      "./app/convex/system.ts": () => import("../../app/convex/system.ts"),
    },
  });
}

const zero = (): Numbers => ({ told: 0, base: 0, last: 0, flight: 0, stray: 0 });

/** The number of the write that goes out next. */
function next(worker: Numbers): number {
  return ++worker.last;
}

function number(worker: Numbers, { action: { kind, again }, call }: Step): void {
  switch (kind) {
    case "turns":
    case "ends":
      worker.stray = worker.stray || worker.flight;
      worker.flight = kind === "turns" ? next(worker) : 0;
      return;
    case "arrives":
      // The numbers of an attempt begin behind the one that it is told.
      if (call?.fn === "begin") worker.last = worker.base = worker.told;
      worker.flight = next(worker);
      return;
    case "answer lost":
      if (again !== true) worker.flight = next(worker);
      return;
    case "given up":
      worker.stray = worker.flight;
      if (again !== true) worker.flight = next(worker);
      return;
    case "arrives late":
      worker.stray = 0;
      return;
    case "arrives from the dead":
      worker.flight = 0;
      return;
    default:
      return;
  }
}

function said({
  status,
  applied,
  superseded,
  length,
}: {
  status: Answer["status"];
  applied: boolean;
  superseded?: boolean;
  length?: number;
}): Answer {
  if (superseded === true) return { status, applied, why: "superseded" };
  return length === undefined ? { status, applied } : { status, applied, why: "length" };
}

async function codeOf(promise: Promise<unknown>): Promise<"superseded" | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    const data: unknown = error instanceof ConvexError ? error.data : undefined;
    const text = typeof data === "string" ? data : JSON.stringify(data ?? null);
    if (text.includes("SUPERSEDED")) return "superseded";
    throw error;
  }
}

function errorOf({ toolCalls }: Doc<"messages">): string | null {
  const entry = toolCalls?.find(({ id }) => id === JOURNAL_ID);
  const { error } = (entry?.args ?? {}) as { error?: { code: string } };
  return error?.code ?? null;
}

function differences<T extends object>(real: T, model: T): string[] {
  const keys = new Set([...Object.keys(real), ...Object.keys(model)]) as Set<keyof T>;
  return [...keys]
    .filter((key) => real[key] !== model[key])
    .map((key) => `${String(key)}: ${String(real[key])} instead of ${String(model[key])}`);
}
