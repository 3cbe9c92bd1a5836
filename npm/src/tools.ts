// Tools of one's own: what `defineTool` makes of a definition, and how their calls are served. The core
// schedules, bounds and stores them like its own; here a call is pulled, run and answered. Whatever a
// tool does, this neither throws nor waits for it: a call that hangs has its deadline in the core.

import { polarisError } from "./errors.ts";
import type { OwnToolMessage, OwnToolSpec, RunOptions } from "./generated.ts";
import type { NativeRun } from "./native.ts";
import { promiseOf, type Settling } from "./promises.ts";
import { checkArgs, type JsonSchema } from "./schema.ts";

export type { JsonSchema } from "./schema.ts";

/** As much of an `AbortSignal` as there is where neither Node's types nor the DOM's are. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** The platform's `AbortSignal`. The types of this package need no others, so it is looked up. */
export type ToolSignal = typeof globalThis extends { AbortSignal: { prototype: infer Signal } }
  ? Signal
  : AbortSignalLike;

/** What `execute` gets beside the arguments. */
export interface ToolContext {
  /** Aborted when nobody waits for the result any more: the time is up, or the run is ending. */
  signal: ToolSignal;
  /** The project that the run works on; undefined for a job without one. */
  projectId: string | undefined;
  /** The runner's id of the run. */
  runId: string | undefined;
  /**
   * The same when a call is made up for after a crash, and of no other call: for services that take
   * such a key, and for tools that are `idempotent`.
   */
  idempotencyKey: string;
}

/** The part of the Standard Schema interface that is used here; zod and others have it. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly validate: (
      value: unknown,
    ) => ValidationResult<Output> | Promise<ValidationResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
    readonly jsonSchema?: { input(options: { target: string }): Record<string, unknown> };
  };
}

/** What a Standard Schema says of a value. */
export type ValidationResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly ValidationIssue[] };

export interface ValidationIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What the arguments are once a schema has read them. */
export type ArgsOf<Schema extends StandardSchema> = NonNullable<
  Schema["~standard"]["types"]
>["output"];

type About = Omit<OwnToolSpec, "parameters">;

/** A tool whose arguments a schema of zod (or another Standard Schema) reads. */
export interface SchemaToolDefinition<Schema extends StandardSchema> extends About {
  parameters: Schema;
  /** The same as a JSON schema, for a schema that cannot say it itself (zod before 4.2). */
  jsonSchema?: JsonSchema;
  /** What a call does. Its result is text, or becomes JSON. */
  execute(args: ArgsOf<Schema>, context: ToolContext): unknown;
}

/** A tool whose arguments a JSON schema describes. */
export interface JsonToolDefinition<Args> extends About {
  parameters: JsonSchema;
  /** What a call does. Its result is text, or becomes JSON. */
  execute(args: Args, context: ToolContext): unknown;
}

/** A tool of one's own, for the option `tools`. */
export interface OwnTool extends OwnToolSpec {
  /** Reads the arguments of the model and runs. Throws what `execute` throws. */
  readonly execute: (args: Record<string, unknown>, context: ToolContext) => Promise<unknown>;
}

/**
 * Defines a tool of one's own. What `execute` throws is text for the model, unless it is marked as
 * fatal (`FatalToolError`, or any error with `fatal: true`).
 *
 * @throws {PolarisError} when `parameters` cannot be told to a model.
 */
export function defineTool<Schema extends StandardSchema>(
  definition: SchemaToolDefinition<Schema>,
): OwnTool;
export function defineTool<Args = Record<string, unknown>>(
  definition: JsonToolDefinition<Args>,
): OwnTool;
export function defineTool(
  definition: SchemaToolDefinition<StandardSchema> | JsonToolDefinition<never>,
): OwnTool {
  const { execute, parameters, ...rest } = definition;
  const { jsonSchema, ...about } = rest as About & { jsonSchema?: JsonSchema };
  if (typeof execute !== "function") throw invalid(about.name, "execute must be a function");
  const call = execute as (args: unknown, context: ToolContext) => unknown;
  if (!isStandard(parameters)) {
    return {
      ...about,
      parameters,
      execute: async (args, context) => {
        reject(checkArgs(parameters, args));
        return await call(args, context);
      },
    };
  }
  const standard = parameters["~standard"];
  return {
    ...about,
    parameters: jsonSchema ?? describe(about.name, parameters),
    execute: async (args, context) => {
      const read = await standard.validate(args);
      if (read.issues !== undefined) reject(read.issues.map(issueText));
      return await call((read as { value: unknown }).value, context);
    },
  };
}

/** Ends the run when a tool throws it: with `TOOL_FATAL`, or `TOOL_UNAVAILABLE` if it is retryable. */
export class FatalToolError extends Error {
  readonly fatal = true;
  /** Whether a new attempt of the run can help. */
  readonly retryable: boolean;

  constructor(message: string, options: ErrorOptions & { retryable?: boolean } = {}) {
    super(message, options);
    this.name = "FatalToolError";
    this.retryable = options.retryable ?? false;
  }
}

/** Arguments that do not fit: the tool has not run. */
class ArgumentsError extends Error {}

function reject(problems: readonly string[]): void {
  if (problems.length > 0) throw new ArgumentsError(problems.slice(0, MAX_PROBLEMS).join("; "));
}

/** Problems of one call's arguments that the model is told. */
const MAX_PROBLEMS = 8;

function issueText({ message, path = [] }: ValidationIssue): string {
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return keys.length === 0 ? message : `\`${keys.join(".")}\`: ${message}`;
}

function isStandard(parameters: unknown): parameters is StandardSchema {
  return typeof parameters === "object" && parameters !== null && "~standard" in parameters;
}

/** The JSON schema of what a schema reads. */
function describe(name: string, schema: StandardSchema): JsonSchema {
  const { jsonSchema } = schema["~standard"];
  if (jsonSchema === undefined) {
    throw invalid(
      name,
      "this schema cannot say what it reads as a JSON schema (zod can from 4.2 on); give it beside `parameters` as `jsonSchema`, for zod 4 made by z.toJSONSchema(schema), for zod 3 by the package zod-to-json-schema",
    );
  }
  try {
    return jsonSchema.input({ target: "draft-07" });
  } catch (error) {
    throw invalid(name, `parameters have no JSON schema: ${messageOf(error)}`);
  }
}

function invalid(name: string, why: string) {
  return polarisError("CONFIG_INVALID", `defineTool: ${JSON.stringify(name)}: ${why}`);
}

/** The tools of one's own among the options, by name. */
export function ownTools(options: RunOptions | undefined): Map<string, OwnTool> {
  const tools = new Map<string, OwnTool>();
  for (const choice of options?.tools ?? []) {
    if (typeof choice === "string") continue;
    if (typeof (choice as Partial<OwnTool>).execute !== "function") {
      throw invalid(choice.name, "is no tool: use what defineTool returns");
    }
    tools.set(choice.name, choice as OwnTool);
  }
  return tools;
}

/** To wait for calls keeps nothing alive. */
const OF_NOBODY: Settling<string | null> = {
  owner: undefined,
  read: (calls) => calls,
  fail: (error) => error,
};

/** Serves the calls of a run until there will be no more. */
export class ToolHost {
  /** What the tool that ended the run threw. */
  fatal: unknown;
  readonly #tools: ReadonlyMap<string, OwnTool>;
  // Not the handle itself: a run that everybody else has forgotten ends.
  readonly #run: WeakRef<NativeRun>;
  readonly #open = new Map<number, AbortController>();

  constructor(run: NativeRun, tools: ReadonlyMap<string, OwnTool>) {
    this.#run = new WeakRef(run);
    this.#tools = tools;
  }

  async serve(): Promise<void> {
    try {
      for (let batch = await this.#next(); batch !== null; batch = await this.#next()) {
        for (const message of JSON.parse(batch) as OwnToolMessage[]) {
          if (message.type === "abort") this.#abort(message.id);
          else void this.#call(message);
        }
      }
    } finally {
      for (const id of [...this.#open.keys()]) this.#abort(id);
    }
  }

  #next(): Promise<string | null> {
    const run = this.#run.deref();
    return run === undefined
      ? Promise.resolve(null)
      : promiseOf(OF_NOBODY, (number) => run.nextOwnCalls(number));
  }

  #abort(id: number): void {
    const controller = this.#open.get(id);
    this.#open.delete(id);
    controller?.abort(new DOMException("Nobody waits for this call any more.", "AbortError"));
  }

  async #call(call: OwnToolMessage & { type: "call" }): Promise<void> {
    const { id, name, args, maxBytes } = call;
    const controller = new AbortController();
    this.#open.set(id, controller);
    try {
      const result = await this.#tools.get(name)?.execute(args, {
        signal: controller.signal,
        projectId: call.projectId ?? undefined,
        runId: call.runId ?? undefined,
        idempotencyKey: call.idempotencyKey,
      });
      const text = textOf(name, result);
      this.#answer(id, "text", ends(text, maxBytes), Buffer.byteLength(text));
    } catch (error) {
      this.#failed(id, name, error);
    } finally {
      this.#open.delete(id);
    }
  }

  #failed(id: number, name: string, error: unknown): void {
    const text = messageOf(error);
    if (error instanceof ArgumentsError) {
      const told = `Error: invalid arguments for ${name}: ${text}. The tool was not run.`;
      this.#answer(id, "failed", told, 0);
    } else if (isMarked(error, "fatal")) {
      this.fatal ??= error;
      this.#answer(id, isMarked(error, "retryable") ? "unavailable" : "fatal", text, 0);
    } else {
      this.#answer(id, "failed", `Error: ${name} failed: ${text}`, 0);
    }
  }

  #answer(
    id: number,
    kind: "text" | "failed" | "fatal" | "unavailable",
    text: string,
    bytes: number,
  ) {
    try {
      this.#run.deref()?.answerOwnCall(id, kind, text, bytes);
    } catch {
      // The addon is on its way out, and the run with it.
    }
  }
}

function textOf(name: string, result: unknown): string {
  if (typeof result === "string") return result;
  if (result === undefined) return `${name} is done.`;
  let text: string | undefined;
  try {
    text = JSON.stringify(result);
  } catch (error) {
    throw new Error(`it ran, but its result cannot be written as JSON: ${messageOf(error)}`);
  }
  if (text === undefined) throw new Error(`it ran, but its result is a ${typeof result}`);
  return text;
}

/** What of a text can be shown: both ends, each of at least `max` bytes. The rest stays here. */
function ends(text: string, max: number): string {
  return text.length <= 2 * max ? text : text.slice(0, max) + text.slice(-max);
}

/** A thrown value in words, whatever it is. */
function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) return error.message || error.name;
    return typeof error === "string" ? error : (JSON.stringify(error) ?? String(error));
  } catch {
    return "it threw something that has no words";
  }
}

function isMarked(error: unknown, mark: "fatal" | "retryable"): boolean {
  try {
    return typeof error === "object" && error !== null && Reflect.get(error, mark) === true;
  } catch {
    return false;
  }
}
