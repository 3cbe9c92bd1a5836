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
import type * as leases from "../leases.js";
import type * as model_errors from "../model/errors.js";
import type * as model_fields from "../model/fields.js";
import type * as model_file_changes from "../model/file-changes.js";
import type * as model_files from "../model/files.js";
import type * as model_journal from "../model/journal.js";
import type * as model_lookup from "../model/lookup.js";
import type * as model_messages from "../model/messages.js";
import type * as model_paths from "../model/paths.js";
import type * as model_project_files from "../model/project-files.js";
import type * as model_projects from "../model/projects.js";
import type * as model_server from "../model/server.js";
import type * as system from "../system.js";

/**
 * A utility for referencing Convex functions in your app's API.
 *
 * Usage:
 * ```js
 * const myFunctionReference = api.myModule.myFunction;
 * ```
 */
declare const fullApi: ApiFromModules<{
  leases: typeof leases;
  "model/errors": typeof model_errors;
  "model/fields": typeof model_fields;
  "model/file-changes": typeof model_file_changes;
  "model/files": typeof model_files;
  "model/journal": typeof model_journal;
  "model/lookup": typeof model_lookup;
  "model/messages": typeof model_messages;
  "model/paths": typeof model_paths;
  "model/project-files": typeof model_project_files;
  "model/projects": typeof model_projects;
  "model/server": typeof model_server;
  system: typeof system;
}>;
export declare const api: FilterApi<
  typeof fullApi,
  FunctionReference<any, "public">
>;
export declare const internal: FilterApi<
  typeof fullApi,
  FunctionReference<any, "internal">
>;
