// Tools of this app as they were, for `tools` of a run: those of the AI SDK (`tool({ … })`) and those of
// an agent kit (`createTool({ … })`). A tool that polaris-agent has under the same name and with the same
// parameters is the core's own, which journals what it does; every other goes on in its own code.

import { defineTool, type JsonSchema, type OwnTool, type StandardSchema } from "polaris-agent";

/** What functions that make tools are given, by the names that apps have for it. */
export interface ToolScope {
  // biome-ignore lint/suspicious/noExplicitAny: an Id type of the app's own.
  projectId: any;
  internalKey: string;
}

/** A tool of either kind. */
export interface AppTool {
  name?: string | undefined;
  description?: string | undefined;
  inputSchema?: unknown;
  parameters?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: each tool has arguments of its own.
  execute?: ((args: any, options: any) => unknown) | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  handler?: ((args: any, options: any) => unknown) | undefined;
}

type AppTools = Readonly<Record<string, AppTool>> | readonly AppTool[];

/** Names and parameters of the core's tools (docs/tools.md of polaris-agent). */
const CORE: Readonly<Record<string, string>> = {
  readFile: "path",
  writeFile: "content,path",
  deleteFile: "path",
  editFile: "newText,oldText,path,replaceAll",
  listFiles: "path",
  getProjectStructure: "",
  findSymbol: "kind,query",
  getReferences: "column,line,path",
  getDiagnostics: "path,severity",
  goToDefinition: "column,line,path",
  searchFiles: "caseSensitive,filePattern,pattern",
  searchCodebase: "filePattern,patternType,searchTerm",
  findFilesByPattern: "pattern",
  getRelevantFiles: "currentFile,maxFiles,query",
  executeCommand: "command,cwd",
};

/**
 * The tools that `make` makes, for `options.tools`. It is asked once now for their descriptions, and
 * again for each call, with the project of the run. `describe`: for schemas that cannot say themselves
 * what they read.
 */
export function portTools(
  make: (scope: ToolScope) => AppTools,
  describe?: (schema: never) => unknown,
): (string | OwnTool)[] {
  return entries(make(scopeOf(undefined))).map(([name, tool]) => {
    const schema = tool.inputSchema ?? tool.parameters;
    const jsonSchema = jsonSchemaOf(schema, describe);
    const parameters = Object.keys((jsonSchema?.properties as object | undefined) ?? {});
    if (CORE[name] === parameters.sort().join()) return name;
    const about = {
      name,
      description: tool.description ?? name,
      ...(name in CORE ? { replaces: true } : {}),
    };
    const execute = async (args: unknown, context: Context): Promise<unknown> => {
      const found = entries(make(scopeOf(context.projectId))).find(([each]) => each === name)?.[1];
      const run = found?.execute ?? found?.handler;
      if (run === undefined) throw new Error(`there is no ${name} for this project`);
      return await lastOf(run.call(found, args, optionsOf(context)));
    };
    return isStandard(schema)
      ? defineTool({
          ...about,
          parameters: schema,
          execute,
          ...(jsonSchema === undefined ? {} : { jsonSchema }),
        })
      : defineTool({ ...about, parameters: jsonSchema ?? { type: "object" }, execute });
  });
}

/** What an agent kit's function of this name takes: the tool as it is, with the types of its arguments. */
export function createTool<Schema extends StandardSchema>(tool: {
  name: string;
  description?: string;
  parameters: Schema;
  handler: (
    args: NonNullable<Schema["~standard"]["types"]>["output"],
    // biome-ignore lint/suspicious/noExplicitAny: what the kit gave, `step` above all.
    options: any,
  ) => unknown;
}): typeof tool {
  return tool;
}

type Context = Parameters<OwnTool["execute"]>[1];

function scopeOf(projectId: string | undefined): ToolScope {
  return {
    projectId: projectId ?? "",
    internalKey: process.env.POLARIS_CONVEX_INTERNAL_KEY ?? "",
  };
}

function entries(tools: AppTools): [string, AppTool][] {
  return Array.isArray(tools)
    ? tools.map((tool: AppTool) => [tool.name ?? "", tool])
    : Object.entries(tools as Record<string, AppTool>);
}

/** What both kinds of tools get beside their arguments. */
function optionsOf({ signal, idempotencyKey }: Context) {
  return {
    toolCallId: idempotencyKey,
    messages: [],
    abortSignal: signal,
    // The call as a whole is journalled; a step inside it is plain code.
    step: {
      run: async (_: string, work: (...args: unknown[]) => unknown, ...args: unknown[]) =>
        await work(...args),
    },
    network: { state: { data: {}, kv: new Map() } },
  };
}

/** A tool of the AI SDK may yield several results, of which the last counts. */
async function lastOf(result: unknown): Promise<unknown> {
  const value = await result;
  if (typeof value !== "object" || value === null || !(Symbol.asyncIterator in value)) return value;
  let last: unknown;
  for await (const each of value as AsyncIterable<unknown>) last = each;
  return last;
}

function isStandard(schema: unknown): schema is StandardSchema {
  return typeof schema === "object" && schema !== null && "~standard" in schema;
}

function jsonSchemaOf(
  schema: unknown,
  describe: ((schema: never) => unknown) | undefined,
): JsonSchema | undefined {
  if (schema === undefined) return { type: "object", properties: {} };
  // `jsonSchema({ … })` of the AI SDK.
  if (typeof schema === "object" && schema !== null && "jsonSchema" in schema) {
    return schema.jsonSchema as JsonSchema;
  }
  if (isStandard(schema)) {
    const { jsonSchema } = schema["~standard"];
    if (jsonSchema !== undefined) return jsonSchema.input({ target: "draft-07" });
  }
  return describe?.(schema as never) as JsonSchema | undefined;
}
