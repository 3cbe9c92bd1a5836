// Gives a stack its demo project and conversation, through the same server functions that the
// product uses. What was seeded is remembered in the state folder and seeded again if it is gone.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConvexHttpClient } from "convex/browser";
import { api } from "../../app/convex/_generated/api.js";
import {
  DEMO_CONVERSATION_TITLE,
  DEMO_PROJECT,
  DEMO_PROJECT_NAME,
  LOCAL_OWNER_ID,
} from "./demo-project.ts";

export interface Seeded {
  projectId: string;
  conversationId: string;
}

const FILE = "seed.json";

export async function seed(state: string, convexUrl: string, internalKey: string): Promise<Seeded> {
  const convex = new ConvexHttpClient(convexUrl);
  const known = await remembered(state);
  if (known !== undefined && (await exists(convex, internalKey, known))) return known;
  const seeded = await createDemoProject(convex, internalKey);
  await writeFile(join(state, FILE), `${JSON.stringify(seeded)}\n`);
  return seeded;
}

/** A project with the demo files and an empty conversation. */
export async function createDemoProject(
  convex: ConvexHttpClient,
  internalKey: string,
  name = DEMO_PROJECT_NAME,
): Promise<Seeded> {
  const { system } = api;
  const projectId = await convex.mutation(system.createProject, {
    internalKey,
    name,
    ownerId: LOCAL_OWNER_ID,
  });
  for (const [path, content] of Object.entries(DEMO_PROJECT)) {
    await convex.mutation(system.writeFileByPath, { internalKey, projectId, path, content });
  }
  const conversationId = await convex.mutation(system.createConversation, {
    internalKey,
    projectId,
    title: DEMO_CONVERSATION_TITLE,
  });
  return { projectId, conversationId };
}

/** The same for callers that hold only a URL. */
export function createProjectIn(
  convexUrl: string,
  internalKey: string,
  name: string,
): Promise<Seeded> {
  return createDemoProject(new ConvexHttpClient(convexUrl), internalKey, name);
}

/** A new, empty conversation in a project. */
export async function createConversation(
  convexUrl: string,
  internalKey: string,
  projectId: string,
): Promise<string> {
  const convex = new ConvexHttpClient(convexUrl);
  const title = DEMO_CONVERSATION_TITLE;
  return convex.mutation(api.system.createConversation, { internalKey, projectId, title });
}

async function exists(
  convex: ConvexHttpClient,
  internalKey: string,
  known: Seeded,
): Promise<boolean> {
  const { conversationId } = known;
  const found = await convex
    .query(api.system.getConversationById, { internalKey, conversationId })
    .catch(() => null);
  return found?.projectId === known.projectId;
}

async function remembered(state: string): Promise<Seeded | undefined> {
  try {
    const value = JSON.parse(await readFile(join(state, FILE), "utf8")) as Partial<Seeded>;
    const { projectId, conversationId } = value;
    if (typeof projectId === "string" && typeof conversationId === "string") {
      return { projectId, conversationId };
    }
  } catch {
    // Nothing seeded yet.
  }
  return undefined;
}
