// Projects as `init` meets them, each differing from the others in layout, sign-in, schema and in what
// its background jobs are. Written for these tests; no real project's code is in them.

export type Files = Record<string, string>;

const GENERATED: Files = {
  "server.d.ts": `import type { ActionBuilder, DataModelFromSchemaDefinition, GenericMutationCtx, GenericQueryCtx, MutationBuilder, QueryBuilder } from "convex/server";
import type { DataModel } from "./dataModel.js";
export declare const query: QueryBuilder<DataModel, "public">;
export declare const internalQuery: QueryBuilder<DataModel, "internal">;
export declare const mutation: MutationBuilder<DataModel, "public">;
export declare const internalMutation: MutationBuilder<DataModel, "internal">;
export declare const action: ActionBuilder<DataModel, "public">;
export type QueryCtx = GenericQueryCtx<DataModel>;
export type MutationCtx = GenericMutationCtx<DataModel>;
`,
  "dataModel.d.ts": `import type { DataModelFromSchemaDefinition, DocumentByName, TableNamesInDataModel } from "convex/server";
import type { GenericId } from "convex/values";
import schema from "../schema.js";
export type DataModel = DataModelFromSchemaDefinition<typeof schema>;
export type TableNames = TableNamesInDataModel<DataModel>;
export type Doc<T extends TableNames> = DocumentByName<DataModel, T>;
export type Id<T extends TableNames | "_storage"> = GenericId<T>;
`,
  "api.d.ts": `import type { AnyApi } from "convex/server";
export declare const api: AnyApi;
export declare const internal: AnyApi;
`,
};

interface Shape {
  /** `src/` or nothing. */
  source: string;
  convex: string;
  /** As imports of the app name its own code. */
  alias: boolean;
  messageFields: string;
  indexes: string;
  events: boolean;
  agent: string;
  functions: Files;
  served: string;
  auth: string;
  extra?: Files;
}

function projectOf(shape: Shape): Files {
  const { source, convex, alias } = shape;
  const client = alias ? "@/inngest/client" : "../../../inngest/client";
  const files: Files = {
    ".gitignore": "node_modules\n",
    "package.json": `${JSON.stringify(
      {
        name: "an-editor",
        private: true,
        type: "module",
        scripts: { dev: "next dev", inngest: "npx inngest-cli@latest dev" },
        dependencies: { convex: "1.48.0", inngest: "3.0.0" },
      },
      null,
      2,
    )}\n`,
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        target: "ES2022",
        lib: ["ES2022", "DOM"],
        module: "esnext",
        moduleResolution: "bundler",
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        paths: { "@/*": [`./${source}*`] },
        types: ["node"],
      },
      exclude: ["node_modules"],
    }),
    ".env.local":
      "NEXT_PUBLIC_CONVEX_URL=https://a.convex.cloud\nINNGEST_EVENT_KEY=x\nINNGEST_SIGNING_KEY=y\n",
    "README.md": "# An editor\n\nRun `npx inngest-cli dev` beside it.\n",
    [`${source}inngest/client.ts`]: `import { Inngest } from "inngest";\n\nexport const inngest = new Inngest({ id: "an-editor" });\n`,
    [`${source}app/api/inngest/route.ts`]: `import { serve } from "inngest/next";
import { inngest } from "${client}";
${shape.served}
`,
    [`${source}app/api/messages/route.ts`]: `${shape.auth}
import { inngest } from "${client}";

export async function POST(request: Request) {
  const user = await currentUser();
  if (user === null) return Response.json({ error: "Unauthorized" }, { status: 401 });
  const { messageId } = (await request.json()) as { messageId: string };
  const event = await inngest.send({ name: "message/sent", data: { messageId } });
  return Response.json({ eventId: event.ids[0] });
}

export async function DELETE(request: Request) {
  const body = (await request.json()) as { messageId: string };
  await inngest.send({ name: "message/cancel", data: { messageId: body.messageId } });
  return Response.json({ success: true });
}
`,
    [`${source}auth.ts`]: `export const currentUser = async (): Promise<{ id: string } | null> => ({ id: "me" });\n`,
    [`${convex}schema.ts`]: `import { defineSchema, defineTable } from "convex/server";
import { v } from "convex/values";

export default defineSchema({
  projects: defineTable({
    name: v.string(),
    ownerId: v.string(),
    updatedAt: v.number(),
    importStatus: v.optional(v.union(v.literal("importing"), v.literal("completed"), v.literal("failed"))),
    exportStatus: v.optional(v.union(v.literal("exporting"), v.literal("completed"), v.literal("failed"), v.literal("cancelled"))),
    exportRepoUrl: v.optional(v.string()),
  }).index("by_owner", ["ownerId"]),
  files: defineTable({
    projectId: v.id("projects"),
    parentId: v.optional(v.id("files")),
    name: v.string(),
    type: v.union(v.literal("file"), v.literal("folder")),
    content: v.optional(v.string()),
    storageId: v.optional(v.id("_storage")),
    updatedAt: v.number(),
  })
    .index("by_project", ["projectId"])
    .index("by_parent", ["parentId"])
    .index("by_project_parent", ["projectId", "parentId"]),
  conversations: defineTable({
    projectId: v.id("projects"),
    title: v.string(),
    updatedAt: v.number(),
  }).index("by_project", ["projectId"]),
  messages: defineTable({
    conversationId: v.id("conversations"),
    projectId: v.id("projects"),
    role: v.union(v.literal("user"), v.literal("assistant")),
    content: v.string(),
    ${shape.messageFields}
  })${shape.indexes},${
    shape.events
      ? `
  generationEvents: defineTable({
    projectId: v.id("projects"),
    type: v.union(v.literal("step"), v.literal("file"), v.literal("info"), v.literal("error")),
    message: v.string(),
    filePath: v.optional(v.string()),
    preview: v.optional(v.string()),
    createdAt: v.number(),
  }).index("by_project_created_at", ["projectId", "createdAt"]),`
      : ""
  }
});
`,
    [`${convex}system.ts`]: `import { v } from "convex/values";
import { query } from "./_generated/server";
export const getMessageById = query({ args: { messageId: v.id("messages") }, handler: (ctx, args) => ctx.db.get(args.messageId) });
`,
    [`${source}features/inngest/process-message.ts`]: shape.agent,
    ...shape.functions,
    ...shape.extra,
  };
  for (const [name, text] of Object.entries(GENERATED)) files[`${convex}_generated/${name}`] = text;
  if (convex !== "convex/") files["convex.json"] = JSON.stringify({ functions: convex });
  return files;
}

export const PROMPT = "You are Atlas.\n  Tabs\tand “quotes”, a $ and a \\ stay.";

const agent = (
  client: string,
  system: string,
  numbers: string,
  before = "",
) => `import { inngest } from "${client}";
${before}
declare function answer(options: object): Promise<string>;
export const processMessage = inngest.createFunction(
  { id: "process-message" },
  { event: "message/sent" },
  async ({ event, step }: any) => {
    await step.run("answer", () => answer({ system: ${system}, ${numbers} }));
    return event.data.messageId;
  },
);
`;

const literal = `\`You are Atlas.
  Tabs\\tand “quotes”, a $ and a \\\\ stay.\``;

/** `src/`, everything in the schema, one function. */
export const common = projectOf({
  source: "src/",
  convex: "convex/",
  alias: true,
  messageFields: `status: v.optional(v.union(v.literal("processing"), v.literal("completed"), v.literal("cancelled"), v.literal("failed"))),
    triggerRunId: v.optional(v.string()),
    toolCalls: v.optional(v.array(v.object({ id: v.string(), name: v.string(), args: v.any(), result: v.optional(v.any()) }))),`,
  indexes: `.index("by_conversation", ["conversationId"]).index("by_project_status", ["projectId", "status"])`,
  events: true,
  agent: agent("@/inngest/client", literal, "maxSteps: 7, maxTokens: 1500, temperature: 0.3"),
  functions: {},
  served: `import { processMessage } from "@/features/inngest/process-message";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage] });`,
  auth: `import { currentUser } from "@/auth";`,
});

/** No `src/`, relative imports, functions elsewhere, a prompt in another file, a poor schema. */
export const old = projectOf({
  source: "",
  convex: "backend/convex/",
  alias: false,
  messageFields: `status: v.optional(v.union(v.literal("processing"), v.literal("completed"))),`,
  indexes: "",
  events: false,
  agent: agent(
    "../../inngest/client",
    "SYSTEM",
    "maxOutputTokens: 3_000",
    'import { SYSTEM } from "./prompt";',
  ),
  functions: {
    "features/inngest/prompt.ts": `export const SYSTEM = ${literal};\n`,
  },
  served: `import { processMessage } from "../../../features/inngest/process-message";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage] });`,
  auth: `import { currentUser } from "../../../auth";`,
});

/** Other functions too: a scheduled one and one of its own event, with another sign-in. */
export const several = projectOf({
  source: "src/",
  convex: "convex/",
  alias: true,
  messageFields: `toolCalls: v.optional(v.array(v.object({ id: v.string(), name: v.string(), args: v.any(), result: v.optional(v.any()) }))),`,
  indexes: `.index("by_conversation", ["conversationId"])`,
  events: false,
  agent: agent("@/inngest/client", literal, "temperature: 0"),
  functions: {
    "src/features/inngest/more.ts": `import { inngest } from "@/inngest/client";
export const digest = inngest.createFunction({ id: "daily-digest" }, { cron: "0 8 * * *" }, async () => {});
export const exported = inngest.createFunction({ id: "export-repo" }, { event: "repo/export" }, async () => {});
`,
  },
  served: `import { processMessage } from "@/features/inngest/process-message";
import { digest, exported } from "@/features/inngest/more";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage, digest, exported] });`,
  auth: `import { auth } from "@/session";
const currentUser = async () => (await auth()).user;`,
  extra: {
    "src/session.ts": `export const auth = async (): Promise<{ user: { id: string } | null }> => ({ user: { id: "me" } });\n`,
  },
});

/** A schema made by code, a prompt made by code, and a Trigger.dev config of its own. */
export const odd = projectOf({
  source: "src/",
  convex: "convex/",
  alias: true,
  messageFields: "",
  indexes: "",
  events: false,
  agent: agent(
    "@/inngest/client",
    "promptFor(new Date())",
    "maxSteps: STEPS",
    "declare const STEPS: number;\ndeclare function promptFor(date: Date): string;",
  ),
  functions: {
    "src/features/inngest/prompt.ts": "",
  },
  served: `import { processMessage } from "@/features/inngest/process-message";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage] });`,
  auth: `import { currentUser } from "@/auth";`,
  extra: {
    "trigger.config.ts": `import { defineConfig } from "@trigger.dev/sdk";
export default defineConfig({ project: "proj_own", maxDuration: 60, dirs: ["./trigger"] });
`,
    "convex/schema.ts": `import { defineSchema } from "convex/server";
import { tables } from "./tables";
export default defineSchema(tables);
`,
    "convex/tables.ts": "export const tables = {};\n",
  },
});
