// What an answer costs the page that follows it: one query again for each write, also for the last, and
// the conversation not once.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { ConvexClient } from "convex/browser";
import { api } from "../../app/convex/_generated/api.js";
import { signLocalToken } from "../../app/src/auth/local.ts";
import { Site } from "./fixtures/site.ts";

const WRITES = 20;

let site: Site;
before(async () => {
  site = await Site.start();
});
after(() => site?.close());

interface LogEntry {
  seq: number;
  path: string;
  live?: boolean;
}

async function logSince(since: number): Promise<LogEntry[]> {
  const { url, adminKey } = site.stack.admin("convex");
  const response = await fetch(`${url}/admin/log?since=${since}&wait=0`, {
    headers: { "x-polaris-admin": adminKey },
  });
  return ((await response.json()) as { entries: LogEntry[] }).entries;
}

it("an answer runs one query again for each write, also for the last, and never the lists", async () => {
  const { convex, conversationId, projectId } = await site.conversation("anna");
  const page = new ConvexClient(site.stack.env.CONVEX_URL ?? "", { logger: false });
  page.setAuth(() => signLocalToken({ userId: "anna", email: undefined }));
  const seen = { text: "", status: "", length: -1, waiting: [] as (() => void)[] };
  const changed = (): void => {
    for (const wake of seen.waiting.splice(0)) wake();
  };
  const until = async (reached: () => boolean): Promise<void> => {
    while (!reached()) await new Promise<void>((wake) => seen.waiting.push(wake));
  };
  page.onUpdate(api.messages.newest, { conversationId }, (message) => {
    seen.text = message?.content ?? "";
    seen.status = message?.status ?? "";
    changed();
  });
  const list = { conversationId, withoutNewest: true };
  page.onUpdate(api.conversations.getMessages, list, (messages) => {
    seen.length = messages.length;
    changed();
  });
  page.onUpdate(api.conversations.getByProject, { projectId }, () => undefined);
  page.onUpdate(api.projects.get, {}, () => undefined);
  try {
    const { body } = await site.ask("POST", "/api/messages", {
      as: "anna",
      body: { conversationId, message: "hello" },
    });
    const messageId = String(body.messageId);
    const begin = { messageId, runId: String(body.runId), attempt: 1, resume: true };
    const { seq = 0 } = await convex.mutation(api.system.beginMessage, { ...site.key, ...begin });
    await until(() => seen.length === 1);
    const before = (await logSince(0)).at(-1)?.seq ?? 0;
    let text = "";
    for (let write = 1; write <= WRITES; write++) {
      text += `word ${write} `;
      const content = text;
      const stored = { ...site.key, messageId, content, seq: seq + write };
      await convex.mutation(api.system.streamMessageContent, stored);
      await until(() => seen.text === content);
    }
    const content = `${text}and the end`;
    await convex.mutation(api.system.updateMessageContent, { ...site.key, messageId, content });
    await until(() => seen.text === content && seen.status === "completed");
    const live = (await logSince(before)).filter((entry) => entry.live === true);
    const paths = live.map(({ path }) => path);
    assert.deepEqual(paths, Array(WRITES + 1).fill("messages:newest"));
    assert.equal(seen.length, 1);
  } finally {
    await page.close();
  }
});
