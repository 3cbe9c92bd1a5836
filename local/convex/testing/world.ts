// A host with the app's functions, and what its tests do to it all the time.
import { api } from "../../../app/convex/_generated/api.js";
import type { Id } from "../../../app/convex/_generated/dataModel.js";
import type { Convex } from "../index.ts";
import { Admin, httpClient } from "./harness.ts";

const { system } = api;

export type Final = "completed" | "cancelled" | "failed";

export class World {
  readonly convex: Convex;
  readonly admin: Admin;
  readonly client: ReturnType<typeof httpClient>;
  readonly key: { internalKey: string };

  constructor(convex: Convex) {
    this.convex = convex;
    this.admin = new Admin(convex);
    this.client = httpClient(convex);
    this.key = { internalKey: convex.internalKey };
  }

  project() {
    return this.client.mutation(system.createProject, { ...this.key, name: "p", ownerId: "o" });
  }

  async conversation() {
    const projectId = await this.project();
    const conversationId = await this.client.mutation(system.createConversation, {
      ...this.key,
      projectId,
      title: "New conversation",
    });
    return { projectId, conversationId };
  }

  add(
    where: { projectId: Id<"projects">; conversationId: Id<"conversations"> },
    role: "user" | "assistant",
    content: string,
    status?: "processing" | "completed" | "cancelled",
  ) {
    return this.client.mutation(system.createMessage, {
      ...this.key,
      ...where,
      role,
      content,
      ...(status === undefined ? {} : { status }),
    });
  }

  async processing(content = "") {
    return await this.add(await this.conversation(), "assistant", content, "processing");
  }

  async final(status: Final, content = "kept") {
    const messageId = await this.processing();
    await this.client.mutation(system.saveToolCalls, {
      ...this.key,
      messageId,
      toolCalls: [{ id: "c1", name: "readFile", args: { path: "a" } }],
    });
    await this.client.mutation(system.updateMessageContent, {
      ...this.key,
      messageId,
      content,
      status,
    });
    return messageId;
  }

  message(messageId: Id<"messages">) {
    return this.client.query(system.getMessageById, { ...this.key, messageId });
  }
}
