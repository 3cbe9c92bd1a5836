/* eslint-disable */
/**
 * Generated `api` utility.
 *
 * THIS CODE IS AUTOMATICALLY GENERATED.
 *
 * To regenerate, run `npx convex dev`.
 * @module
 */

import type {
  ApiFromModules,
  FilterApi,
  FunctionReference,
} from "convex/server";
import type * as conversations from "../conversations.js";
import type * as files from "../files.js";
import type * as generations from "../generations.js";
import type * as leases from "../leases.js";
import type * as messages from "../messages.js";
import type * as model_errors from "../model/errors.js";
import type * as model_fields from "../model/fields.js";
import type * as model_fileChanges from "../model/fileChanges.js";
import type * as model_files from "../model/files.js";
import type * as model_generation from "../model/generation.js";
import type * as model_history from "../model/history.js";
import type * as model_issuers from "../model/issuers.js";
import type * as model_journal from "../model/journal.js";
import type * as model_lookup from "../model/lookup.js";
import type * as model_messages from "../model/messages.js";
import type * as model_owner from "../model/owner.js";
import type * as model_paths from "../model/paths.js";
import type * as model_projectFiles from "../model/projectFiles.js";
import type * as model_projects from "../model/projects.js";
import type * as model_removal from "../model/removal.js";
import type * as model_report from "../model/report.js";
import type * as model_saves from "../model/saves.js";
import type * as model_sending from "../model/sending.js";
import type * as model_server from "../model/server.js";
import type * as model_silence from "../model/silence.js";
import type * as model_tree from "../model/tree.js";
import type * as model_users from "../model/users.js";
import type * as projects from "../projects.js";
import type * as removals from "../removals.js";
import type * as reports from "../reports.js";
import type * as settle from "../settle.js";
import type * as system from "../system.js";
import type * as users from "../users.js";

/**
 * A utility for referencing Convex functions in your app's API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
declare const fullApi: ApiFromModules<{
  conversations: typeof conversations;
  files: typeof files;
  generations: typeof generations;
  leases: typeof leases;
  messages: typeof messages;
  "model/errors": typeof model_errors;
  "model/fields": typeof model_fields;
  "model/fileChanges": typeof model_fileChanges;
  "model/files": typeof model_files;
  "model/generation": typeof model_generation;
  "model/history": typeof model_history;
  "model/issuers": typeof model_issuers;
  "model/journal": typeof model_journal;
  "model/lookup": typeof model_lookup;
  "model/messages": typeof model_messages;
  "model/owner": typeof model_owner;
  "model/paths": typeof model_paths;
  "model/projectFiles": typeof model_projectFiles;
  "model/projects": typeof model_projects;
  "model/removal": typeof model_removal;
  "model/report": typeof model_report;
  "model/saves": typeof model_saves;
  "model/sending": typeof model_sending;
  "model/server": typeof model_server;
  "model/silence": typeof model_silence;
  "model/tree": typeof model_tree;
  "model/users": typeof model_users;
  projects: typeof projects;
  removals: typeof removals;
  reports: typeof reports;
  settle: typeof settle;
  system: typeof system;
  users: typeof users;
}>;
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;
