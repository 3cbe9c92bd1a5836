// The tables of the product. A host app that has them already needs nothing but `triggerRunId`:
// fields and indexes here are a contract with such apps, so nothing is added lightly.
import { defineSchema, defineTable } from "convex/server";
import {
  conversationFields,
  fileFields,
  generationEventFields,
  messageFields,
  projectFields,
  userFields,
} from "./model/fields";

export default defineSchema({
  users: defineTable(userFields)
    .index("by_stack_user", ["stackUserId"])
    .index("by_clerk", ["clerkId"])
    .index("by_autumn_customer", ["autumnCustomerId"]),

  projects: defineTable(projectFields).index("by_owner", ["ownerId"]).index("by_user", ["userId"]),

  files: defineTable(fileFields)
    .index("by_project", ["projectId"])
    .index("by_parent", ["parentId"])
    .index("by_project_parent", ["projectId", "parentId"]),

  conversations: defineTable(conversationFields).index("by_project", ["projectId"]),

  messages: defineTable(messageFields)
    .index("by_conversation", ["conversationId"])
    .index("by_project_status", ["projectId", "status"]),

  generationEvents: defineTable(generationEventFields).index("by_project_created_at", [
    "projectId",
    "createdAt",
  ]),
});
