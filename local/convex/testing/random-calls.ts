// Random calls for the differential test: the fixture functions, and the app's.
import type { Value } from "convex/values";
import fc from "fast-check";
import type { Kind } from "./twin.ts";

export type Args = Record<string, Value>;
/** A call whose arguments may name earlier ids. */
export interface Call {
  name: string;
  kind: Kind;
  args: (ids: string[]) => Args;
  shown: unknown;
}

export function call(
  kind: Kind,
  name: string,
  spec: Args,
  refs: Record<string, number> = {},
): Call {
  return {
    name,
    kind,
    shown: { ...spec, ...refs },
    args: (ids) => {
      const named = Object.entries(refs).map(([field, n]) => [
        field,
        ids[n % Math.max(ids.length, 1)] ?? "none",
      ]);
      return { ...spec, ...(Object.fromEntries(named) as Args) };
    },
  };
}

// ---- fixture functions: values, indexes, pages, rollback ----

export const order = fc.constantFrom("asc", "desc");
const tag = fc.constantFrom("a", "b", "a\0", "", "é");
const n = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom(0.5, -0.5));
const ref = fc.nat({ max: 30 });
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constantFrom<Value>(null, true, false, "", "a", "a\0b", 0, -1.5, 7, 3n, -4n),
  fc.array(fc.constantFrom<Value>(1, "x", null), { maxLength: 2 }),
  fc.dictionary(fc.constantFrom("k", "l"), fc.constantFrom<Value>(1, "x"), { maxKeys: 2 }),
  fc.uint8Array({ maxLength: 3 }).map((bytes) => new Uint8Array(bytes).buffer as ArrayBuffer),
);
const optional = (key: string, a: fc.Arbitrary<Value>): fc.Arbitrary<Args> =>
  fc.option(a).map((v): Args => (v === null ? {} : { [key]: v }));
const fields = fc
  .tuple(
    optional("value", value),
    optional("tag", tag),
    optional("n", n),
    optional("wrong", fc.constant(1)),
  )
  .map((parts): Args => Object.assign({}, ...parts));

export const fixtureCall: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(value, optional("tag", tag), optional("n", n))
      .map(([v, t, m]) => call("mutation", "items:insert", { value: v, ...t, ...m })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(ref, fields, optional("clear", fc.constantFrom("tag", "n", "value")))
      .map(([id, f, c]) => call("mutation", "items:patch", { fields: f, ...c }, { id })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(ref, fields)
      .map(([id, f]) => call("mutation", "items:replace", { fields: f }, { id })),
  },
  { weight: 1, arbitrary: ref.map((id) => call("mutation", "items:remove", {}, { id })) },
  { weight: 1, arbitrary: ref.map((id) => call("query", "items:get", {}, { id })) },
  { weight: 1, arbitrary: order.map((o) => call("query", "items:all", { order: o })) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(optional("tag", tag), order, optional("limit", fc.integer({ min: 0, max: 3 })))
      .map(([t, o, l]) => call("query", "items:byTag", { ...t, order: o, ...l })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(tag, n, n, fc.boolean(), order)
      .map(([t, lo, hi, open, o]) =>
        call("query", "items:between", { tag: t, lo, hi, open, order: o }),
      ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(value, order)
      .map(([from, o]) => call("query", "items:byValue", { from, order: o })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(n, fc.integer({ min: 0, max: 4 }))
      .map(([least, limit]) => call("query", "items:filtered", { least, limit })),
  },
  { weight: 1, arbitrary: value.map((v) => call("query", "items:echo", { value: v })) },
  { weight: 1, arbitrary: tag.map((t) => call("mutation", "items:insertThenThrow", { tag: t })) },
  { weight: 1, arbitrary: tag.map((t) => call("mutation", "items:nestedFailure", { tag: t })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("a", "b", "c"), ref)
      .map(([kind, item]) => call("mutation", "items:point", { kind }, { item })),
  },
);

// ---- the app's functions ----

const pathArb = fc.constantFrom(
  "a.ts",
  "src/a.ts",
  "/src//b.ts",
  "./src/deep/c.ts",
  "src",
  "src/a.ts/x",
  "",
  "..",
  "a\\b",
  "src/../x",
);
const text = fc.constantFrom("", "x", "some text", "é😀");
const toolId = fc.constantFrom("t1", "t2");
const anyStatus = fc.constantFrom("completed", "failed", "cancelled");

/** `project`, `conversation`, `message` pick one of the ids of their kind. */
function appCall(
  kind: Kind,
  name: string,
  spec: Args,
  on: ("project" | "conversation" | "message")[],
) {
  return fc
    .tuple(...on.map(() => fc.nat({ max: 5 })))
    .map((picks) => ({ kind, name, spec, on, picks }));
}

export const appStep = fc.oneof(
  { weight: 1, arbitrary: appCall("mutation", "createProject", { name: "p", ownerId: "o" }, []) },
  { weight: 1, arbitrary: appCall("mutation", "createConversation", { title: "t" }, ["project"]) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom("user", "assistant"),
        text,
        optional("status", fc.constantFrom("processing", "processing", "completed")),
      )
      .chain(([role, content, status]) =>
        appCall("mutation", "createMessage", { role, content, ...status }, [
          "project",
          "conversation",
        ]),
      ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(text, fc.boolean())
      .chain(([content, isComplete]) =>
        appCall("mutation", "streamMessageContent", { content, isComplete }, ["message"]),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(text, anyStatus)
      .chain(([content, status]) =>
        appCall("mutation", "updateMessageContent", { content, status }, ["message"]),
      ),
  },
  {
    weight: 1,
    arbitrary: text.chain((content) =>
      appCall("mutation", "cancelMessage", { content }, ["message"]),
    ),
  },
  {
    weight: 1,
    arbitrary: appCall("mutation", "updateMessageTriggerRunId", { triggerRunId: "r" }, ["message"]),
  },
  {
    weight: 2,
    arbitrary: toolId.chain((id) =>
      appCall("mutation", "appendToolCall", { toolCall: { id, name: "x", args: { a: 1 } } }, [
        "message",
      ]),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(toolId, value)
      .chain(([toolCallId, result]) =>
        appCall("mutation", "appendToolResult", { toolCallId, result }, ["message"]),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(toolId, { maxLength: 3 })
      .chain((ids) =>
        appCall(
          "mutation",
          "saveToolCalls",
          { toolCalls: ids.map((id) => ({ id, name: "y", args: null })) },
          ["message"],
        ),
      ),
  },
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: 1, max: 3 })
      .chain((attempt) =>
        appCall("mutation", "beginMessage", { attempt, runId: `r${attempt}` }, ["message"]),
      ),
  },
  { weight: 2, arbitrary: appCall("query", "getMessageContext", {}, ["message"]) },
  { weight: 2, arbitrary: appCall("query", "getMessageById", {}, ["message"]) },
  { weight: 1, arbitrary: appCall("query", "getProcessingMessages", {}, ["project"]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("step", "info", "bad"), fc.integer({ min: 1, max: 2 }))
      .chain(([type, createdAt]) =>
        appCall("mutation", "appendGenerationEvent", { type, message: "m", createdAt }, [
          "project",
        ]),
      ),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(pathArb, text)
      .chain(([path, content]) =>
        appCall("mutation", "writeFileByPath", { path, content }, ["project"]),
      ),
  },
  {
    weight: 2,
    arbitrary: pathArb.chain((path) =>
      appCall("mutation", "deleteFileByPath", { path }, ["project"]),
    ),
  },
  {
    weight: 2,
    arbitrary: pathArb.chain((path) => appCall("query", "readFileByPath", { path }, ["project"])),
  },
  {
    weight: 2,
    arbitrary: pathArb.chain((path) => appCall("query", "listFilesByPath", { path }, ["project"])),
  },
  { weight: 2, arbitrary: appCall("query", "getProjectStructure", {}, ["project"]) },
  { weight: 1, arbitrary: appCall("query", "getAllProjectFiles", {}, ["project"]) },
);
