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
export declare const internalAction: ActionBuilder<DataModel, "internal">;
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

/** What a test asks of the app's tools; the model's stand-in calls it. */
export const ORDER_ARGS = { orderId: "A-17" };
export const ORDER_RESULT = "Order A-17 is on its way.";

export const PROMPT = "You are Atlas.\n  Tabs\tand “quotes”, a $ and a \\ stay.";

/** The same as source. */
const LITERAL = `\`You are Atlas.
  Tabs\\tand “quotes”, a $ and a \\\\ stay.\``;

interface Shape {
  /** `src/` or nothing. */
  source: string;
  convex: string;
  /** The import of the client in the message route. */
  client: string;
  /** The import by which the message route learns who is signed in. */
  auth: string;
  messageFields: string;
  indexes: string;
  events: boolean;
  dependencies?: Record<string, string>;
  scripts: Record<string, string>;
  readme: string;
  env: Record<string, string>;
  paths?: Record<string, string[]>;
  /** The function, what it imports, the route that serves it. */
  files: Files;
}

const STATUS = (names: string[]) =>
  `status: v.optional(v.union(${names.map((name) => `v.literal("${name}")`).join(", ")})),`;
const TOOL_CALLS =
  "toolCalls: v.optional(v.array(v.object({ id: v.string(), name: v.string(), args: v.any(), result: v.optional(v.any()) }))),";

function projectOf(shape: Shape): Files {
  const { source, convex } = shape;
  const files: Files = {
    ".gitignore": "node_modules\n.env*.local\n.trigger\n",
    "package.json": `${JSON.stringify(
      {
        name: "an-editor",
        private: true,
        type: "module",
        scripts: shape.scripts,
        dependencies: { convex: "1.48.0", inngest: "3.0.0", ...shape.dependencies },
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
        allowImportingTsExtensions: true,
        paths: { "@/*": [`./${source}*`], ...shape.paths },
        types: ["node"],
      },
      exclude: ["node_modules"],
    }),
    "README.md": shape.readme,
    "CLAUDE.md":
      "# Notes\n\n- Background jobs run on Inngest (`src/inngest/client.ts`); start `npx inngest-cli@latest dev` beside the app.\n- Set INNGEST_EVENT_KEY and INNGEST_SIGNING_KEY.\n",
    [`${source}inngest/client.ts`]: `import { Inngest } from "inngest";\n\nexport const inngest = new Inngest({ id: "an-editor" });\n`,
    [`${source}app/api/messages/route.ts`]: `${shape.auth}
import { inngest } from "${shape.client}";

export async function POST(request: Request) {
  const user = await currentUser();
  if (user === null) return Response.json({ error: "Unauthorized" }, { status: 401 });
  const { messageId } = (await request.json()) as { messageId: string };
  // Trigger Inngest to process the message
  const event = await inngest.send({ name: "message/sent", data: { messageId } });
  return Response.json({ eventId: event.ids[0] });
}

export async function DELETE(request: Request) {
  const body = (await request.json()) as { messageId: string };
  await inngest.send({ name: "message/cancel", data: { messageId: body.messageId } });
  return Response.json({ success: true });
}
`,
    [`${convex}schema.ts`]: schemaOf(shape),
    [`${convex}system.ts`]: `import { v } from "convex/values";
import { query } from "./_generated/server";
export const getMessageById = query({ args: { messageId: v.id("messages") }, handler: (ctx, args) => ctx.db.get(args.messageId) });
`,
    ...shape.files,
  };
  for (const [name, text] of Object.entries(shape.env)) files[name] = text;
  for (const [name, text] of Object.entries(GENERATED)) files[`${convex}_generated/${name}`] = text;
  if (convex !== "convex/") files["convex.json"] = JSON.stringify({ functions: convex });
  return files;
}

function schemaOf({ messageFields, indexes, events }: Shape): string {
  return `import { defineSchema, defineTable } from "convex/server";
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
    ${messageFields}
  })${indexes},${
    events
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
`;
}

const SIGNED_IN = `export const currentUser = async (): Promise<{ id: string } | null> => ({ id: "me" });\n`;

/** `src/`, an alias, the AI SDK with its own tools, everything in the schema, one function. */
export const common = projectOf({
  source: "src/",
  convex: "convex/",
  client: "@/inngest/client",
  auth: `import { currentUser } from "@/auth";`,
  messageFields: `${STATUS(["processing", "completed", "cancelled", "failed"])}
    triggerRunId: v.optional(v.string()),
    ${TOOL_CALLS}`,
  indexes: `.index("by_conversation", ["conversationId"]).index("by_project_status", ["projectId", "status"])`,
  events: true,
  dependencies: { ai: "6.0.326", zod: "4.6.7", "@openrouter/ai-sdk-provider": "2.0.0" },
  scripts: {
    dev: "next dev",
    "dev:inngest": "npx inngest-cli@latest dev -u http://localhost:3000/api/inngest",
    "dev:all": "concurrently npm:dev npm:dev:inngest",
  },
  readme: `# An editor

Background jobs use [Inngest](https://www.inngest.com/docs). Run \`npx inngest-cli@latest dev\` beside it.

| variable | for |
|---|---|
| \`INNGEST_EVENT_KEY\` | events |
| \`INNGEST_SIGNING_KEY\` | the Inngest route |
| \`OPENROUTER_API_KEY\` | the model |
`,
  env: {
    ".env.local":
      "NEXT_PUBLIC_CONVEX_URL=https://a.convex.cloud\n# Inngest\nINNGEST_EVENT_KEY=x-secret\nINNGEST_SIGNING_KEY=y-secret\n",
  },
  files: {
    "src/auth.ts": SIGNED_IN,
    "src/middleware.ts": `export const config = { matcher: ["/projects/(.*)"] };
export const isPublic = ["/", "/api/inngest(.*)", "/sign-in"];
`,
    "src/app/api/inngest/route.ts": `import { serve } from "inngest/next";
import { inngest } from "@/inngest/client";
import { processMessage } from "@/features/inngest/process-message";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage] });
`,
    "src/features/inngest/process-message.ts": `import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { stepCountIs, streamText } from "ai";
import { inngest } from "@/inngest/client";
import { lookupOrder } from "@/features/orders/tools";
import { createFileTools } from "@/features/files/tools";
import { MODEL } from "@/config";

const openrouter = createOpenRouter({ apiKey: process.env.OPENROUTER_API_KEY });

export const processMessage = inngest.createFunction(
  { id: "process-message", retries: 1, concurrency: { limit: 5 } },
  { event: "message/sent" },
  async ({ event, step }: any) => {
    const { projectId } = await step.run("get-context", async () => ({ projectId: "p" }));
    await step.run("answer", async () => {
      const { text } = streamText({
        model: openrouter(MODEL),
        system: ${LITERAL},
        messages: [],
        tools: { ...createFileTools(projectId), lookupOrder },
        stopWhen: stepCountIs(7),
        maxOutputTokens: 1500,
        temperature: 0.3,
      });
      return await text;
    });
    return event.data.messageId;
  },
);
`,
    "src/config.ts": `export const MODEL = "anthropic/claude-sonnet-4.5";\n`,
    "src/features/orders/tools.ts": `import { tool } from "ai";
import { z } from "zod";

export const lookupOrder = tool({
  description: "Says how an order stands.",
  inputSchema: z.object({ orderId: z.string().describe("As the customer has it.") }),
  execute: async ({ orderId }) => \`Order \${orderId} is on its way.\`,
});
`,
    "src/features/files/tools.ts": `import { tool } from "ai";
import { z } from "zod";

/** The core has the same two. */
export const createFileTools = (projectId: string) => ({
  readFile: tool({
    description: "Reads a file.",
    inputSchema: z.object({ path: z.string() }),
    execute: async ({ path }) => \`\${projectId}: \${path}\`,
  }),
  writeFile: tool({
    description: "Writes a file.",
    inputSchema: z.object({ path: z.string(), content: z.string() }),
    execute: async () => "written",
  }),
});
`,
  },
});

/**
 * No `src/`, relative imports, functions elsewhere, an agent kit with tools that a function makes for a
 * project, a second agent, the prompt in another file and added to, a poor schema.
 */
export const old = projectOf({
  source: "",
  convex: "backend/convex/",
  client: "../../../inngest/client",
  auth: `import { currentUser } from "../../../auth";`,
  messageFields: STATUS(["processing", "completed"]),
  indexes: "",
  events: false,
  dependencies: { "@inngest/agent-kit": "0.13.0", zod: "4.6.7" },
  scripts: { dev: 'concurrently "next dev" "npx --yes inngest-cli dev --no-discovery"' },
  readme: "# An editor\n\nInngest functions are in `features/inngest/`.\n",
  env: {
    ".env": "INNGEST_EVENT_KEY=x\nANTHROPIC_API_KEY=sk\n",
    ".env.example": "INNGEST_EVENT_KEY=\nANTHROPIC_API_KEY=\n",
  },
  files: {
    "auth.ts": SIGNED_IN,
    "app/api/inngest/route.ts": `import { serve } from "inngest/next";
import { inngest } from "../../../inngest/client";
import { processMessage } from "../../../features/inngest/process-message";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage] });
`,
    "features/inngest/prompt.ts": `export const SYSTEM = ${LITERAL};\nexport const TITLE = "Name it.";\n`,
    "features/inngest/tools/orders.ts": `import { createTool } from "@inngest/agent-kit";
import { z } from "zod";

const params = z.object({ orderId: z.string() });

export const createLookupOrder = ({ projectId, internalKey }: { projectId: string; internalKey: string }) =>
  createTool({
    name: "lookupOrder",
    description: "Says how an order stands.",
    parameters: params,
    handler: async ({ orderId }, { step }) => {
      if (projectId === "" || internalKey === "") throw new Error("no project");
      return await step?.run("lookup", async () => \`Order \${orderId} is on its way.\`);
    },
  });
`,
    "features/inngest/tools/list-files.ts": `import { createTool } from "@inngest/agent-kit";
import { z } from "zod";

/** Of the core's name, with other parameters. */
export const listFiles = createTool({
  name: "listFiles",
  description: "Lists all files.",
  parameters: z.object({}),
  handler: async () => "its own list",
});
`,
    "features/inngest/process-message.ts": `import { anthropic, createAgent, createNetwork } from "@inngest/agent-kit";
import { inngest } from "../../inngest/client";
import { SYSTEM, TITLE } from "./prompt";
import { createLookupOrder } from "./tools/orders";
import { listFiles } from "./tools/list-files";

export const processMessage = inngest.createFunction(
  { id: "process-message", onFailure: async () => {} },
  { event: "message/sent" },
  async ({ event, step }: any) => {
    const internalKey = process.env.POLARIS_CONVEX_INTERNAL_KEY!;
    const { projectId, history } = event.data;
    const titles = createAgent({
      name: "titles",
      system: TITLE,
      model: anthropic({ model: "claude-3-5-haiku-20241022", defaultParameters: { temperature: 0, max_tokens: 50 } }),
    });
    let systemPrompt = SYSTEM;
    if (history) systemPrompt += history;
    const agent = createAgent({
      name: "coder",
      system: systemPrompt,
      model: anthropic({
        model: "claude-opus-4-20250514",
        defaultParameters: { temperature: 0.1, max_tokens: 3_000 },
      }),
      tools: [createLookupOrder({ internalKey, projectId }), listFiles],
    });
    const network = createNetwork({ name: "one", agents: [agent], maxIter: 12 });
    await network.run(event.data.message);
    await step.run("title", () => titles.run(event.data.message));
  },
);
`,
  },
});

/**
 * Several functions (a scheduled one, one of its own event), another auth provider, its own prompt and
 * tools, and a schema without `toolCalls`, `failed` and the event table.
 */
export const several = projectOf({
  source: "src/",
  convex: "convex/",
  client: "@/inngest/client",
  auth: `import { auth } from "@clerk/nextjs/server";
const currentUser = async () => (await auth()).userId;`,
  messageFields: STATUS(["processing", "completed", "cancelled"]),
  indexes: `.index("by_conversation", ["conversationId"])`,
  events: false,
  dependencies: { ai: "6.0.326", zod: "4.6.7" },
  scripts: { dev: "next dev", inngest: "npx inngest-cli@latest dev" },
  readme: "# An editor\n\nJobs: Inngest.\n",
  env: { ".env.local": "INNGEST_EVENT_KEY=x\n" },
  paths: {
    "@clerk/nextjs/server": ["./stands-in/clerk.ts"],
    inngest: ["./stands-in/inngest.ts"],
    "inngest/next": ["./stands-in/inngest.ts"],
  },
  files: {
    // Packages that the tests have no use for.
    "stands-in/clerk.ts": `export const auth = async (): Promise<{ userId: string | null }> => ({ userId: "me" });\n`,
    "stands-in/inngest.ts": `export class Inngest {
  constructor(_: object) {}
  createFunction(..._: any[]): object { return {}; }
  async send(_: object): Promise<{ ids: string[] }> { return { ids: [] }; }
}
export const serve = (_: object): any => ({});
`,
    "src/app/api/inngest/route.ts": `import { serve } from "inngest/next";
import { inngest } from "@/inngest/client";
import { processMessage } from "@/features/jobs/process-message";
import { digest, exported } from "@/features/jobs/more";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage, digest, exported] });
`,
    "src/features/jobs/more.ts": `import { inngest } from "@/inngest/client";
export const digest = inngest.createFunction({ id: "daily-digest" }, { cron: "0 8 * * *" }, async () => {});
export const exported = inngest.createFunction({ id: "export-repo" }, { event: "repo/export" }, async () => {});
`,
    "src/features/jobs/answer.ts": `import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";

const MODEL = "openai/gpt-5-mini";
export const STEPS = 9;

/** The app's one way of asking. */
export async function answer(messages: []) {
  return await generateText({
    model: MODEL,
    system: ${LITERAL},
    messages,
    temperature: 0,
    tools: {
      lookupOrder: tool({
        description: "Says how an order stands.",
        inputSchema: z.object({ orderId: z.string() }),
        execute: async function* ({ orderId }) {
          yield "looking";
          yield \`Order \${orderId} is on its way.\`;
        },
      }),
    },
    stopWhen: stepCountIs(STEPS),
  });
}
`,
    "src/features/jobs/process-message.ts": `import { inngest } from "@/inngest/client";
import { answer } from "./answer";
export const processMessage = inngest.createFunction(
  { id: "process-message" },
  { event: "message/sent" },
  async ({ step }: any) => await step.run("answer", () => answer([])),
);
`,
  },
});

/**
 * A schema made by code, a prompt that depends on the run, a model that is looked up, and a Trigger.dev
 * config of its own with tasks elsewhere.
 */
export const odd = projectOf({
  source: "src/",
  convex: "convex/",
  client: "@/inngest/client",
  auth: `import { currentUser } from "@/auth";`,
  messageFields: "",
  indexes: "",
  events: false,
  scripts: { dev: "next dev" },
  readme: "# An editor\n",
  env: {},
  files: {
    "src/auth.ts": SIGNED_IN,
    "src/app/api/inngest/route.ts": `import { serve } from "inngest/next";
import { inngest } from "@/inngest/client";
import { processMessage } from "@/features/inngest/process-message";
export const { GET, POST } = serve({ client: inngest, functions: [processMessage] });
`,
    "src/features/inngest/process-message.ts": `import { inngest } from "@/inngest/client";
import { modelFor, ask } from "@/ai";
import { limits, promptFor } from "./prompt";

const EXTRA = limits.steps > 10 ? 1 : 2;

export const processMessage = inngest.createFunction(
  { id: "process-message" },
  { event: "message/sent" },
  async ({ event }: any) => {
    const { user } = event.data;
    await ask({ model: modelFor(user), system: promptFor(user), maxSteps: limits.steps + EXTRA });
  },
);
`,
    "src/features/inngest/prompt.ts": `export const limits = { steps: 4 };
export const promptFor = (user: string) => \`You help \${user}.\`;
`,
    "src/ai.ts": `export const modelFor = (user: string): object => ({ user });
export const ask = async (_: object): Promise<string> => "";
`,
    "trigger.config.ts": `import { defineConfig } from "@trigger.dev/sdk";

export default defineConfig({ project: "proj_own", maxDuration: 60, dirs: ["./src/jobs"] });
`,
    "convex/schema.ts": `import { defineSchema } from "convex/server";
import { tables } from "./tables";
export default defineSchema(tables);
`,
    "convex/tables.ts": "export const tables = {};\n",
  },
});
