// Loads a folder of Convex functions: bundles it as the official CLI would (every module an entry
// point, `convex` shared with this process) and collects what it exports. Nothing is run here but the
// modules themselves.
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import type { FunctionKind } from "./frame.ts";
import { parseSchema, type Schema } from "./schema.ts";
import type { ValidatorJson } from "./validators.ts";

export interface ConvexFunction {
  path: string;
  kind: FunctionKind;
  isPublic: boolean;
  args: ValidatorJson;
  /** null: what the function returns is not checked. */
  returns: ValidatorJson | null;
  /** JSON text of the argument array in, JSON text of the result out. */
  invoke(argsJson: string, requestId: string): Promise<string>;
}

export interface AuthProvider {
  type?: "customJwt";
  /** OpenID Connect: the issuer. */
  domain?: string;
  applicationID?: string;
  issuer?: string;
  jwks?: string;
  algorithm?: string;
}

export interface Deployment {
  functions: Map<string, ConvexFunction>;
  schema: Schema;
  /** The exported schema's text, to see whether it has changed since the last start. */
  schemaText: string;
  authProviders: AuthProvider[];
}

interface Registered {
  isQuery?: true;
  isMutation?: true;
  isAction?: true;
  isPublic?: true;
  isInternal?: true;
  exportArgs(): string;
  exportReturns(): string;
  invokeQuery?(args: string): Promise<string>;
  invokeMutation?(args: string): Promise<string>;
  invokeAction?(requestId: string, args: string): Promise<string>;
}

const NOT_FUNCTIONS = new Set(["schema", "auth.config", "convex.config"]);

/** `bundleFolder` is emptied and written to. */
export async function loadDeployment(folder: string, bundleFolder: string): Promise<Deployment> {
  const sources = await findModules(folder);
  if (sources.length === 0) throw new Error(`no Convex functions in ${folder}`);
  for (const source of sources) refuseBadPath(source);
  await rm(bundleFolder, { recursive: true, force: true });
  await mkdir(bundleFolder, { recursive: true });
  await build({
    entryPoints: sources.map((source) => join(folder, source)),
    outdir: bundleFolder,
    outbase: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "silent",
    plugins: [shareConvex, ungenerated],
  });
  const deployment: Deployment = {
    functions: new Map(),
    schema: parseSchema(null),
    schemaText: "",
    authProviders: [],
  };
  for (const source of sources) {
    const name = source.replace(/\.[^.]+$/, "");
    const url = pathToFileURL(join(bundleFolder, `${name}.mjs`)).href;
    const exported = (await import(url)) as Record<string, unknown>;
    if (name === "schema") readSchema(deployment, exported.default);
    else if (name === "auth.config") {
      const config = exported.default as { providers?: AuthProvider[] } | undefined;
      deployment.authProviders = config?.providers ?? [];
    }
    if (NOT_FUNCTIONS.has(name)) continue;
    if (name === "http" || name === "crons") {
      process.stderr.write(`${source}: HTTP actions and crons are not served by this host\n`);
    }
    for (const [exportName, value] of Object.entries(exported)) {
      const fn = asFunction(`${name}:${exportName}`, value);
      if (fn !== null) deployment.functions.set(fn.path, fn);
    }
  }
  return deployment;
}

async function findModules(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.(ts|tsx|js|jsx|mjs)$/.test(entry.name))
    .map((entry) => relative(folder, resolve(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .filter((path) => !path.startsWith("_generated/") && !path.includes("node_modules/"))
    .filter((path) => isModuleName(path.split("/").at(-1) ?? ""))
    .sort();
}

/** The official CLI passes over names with several dots, such as tests, and over hidden files. */
function isModuleName(name: string): boolean {
  return /^[^.#][^.]*\.[^.]+$/.test(name) || /^(auth|convex)\.config\.[jt]s$/.test(name);
}

/**
 * A deployment refuses such a path, and with it everything that is pushed; the official CLI does not
 * (github.com/get-convex/convex-backend/issues/231). The words are the deployment's.
 */
function refuseBadPath(source: string): void {
  const path = source.replace(/\.[^.]+$/, ".js");
  const bad = path.split("/").find((part) => !/^[A-Za-z0-9_.]+$/.test(part));
  if (bad === undefined) return;
  throw new Error(
    `InvalidConfig: ${path} is not a valid path to a Convex module. Path component ${bad} can only contain alphanumeric characters, underscores, or periods.`,
  );
}

/** One copy of `convex` for host and functions, found from here and not from the bundle's folder. */
const shareConvex: Plugin = {
  name: "share-convex",
  setup(build) {
    build.onResolve({ filter: /^convex(\/|$)/ }, ({ path }) => ({
      path: import.meta.resolve(path),
      external: true,
    }));
  },
};

/** What the official CLI generates, as it is in every project. */
const GENERATED: Readonly<Record<string, string>> = {
  server: ["query", "mutation", "action"]
    .flatMap((kind) => [
      `export { ${kind}Generic as ${kind} } from "convex/server";`,
      `export { internal${kind[0]?.toUpperCase()}${kind.slice(1)}Generic as internal${kind[0]?.toUpperCase()}${kind.slice(1)} } from "convex/server";`,
    ])
    .concat('export { httpActionGeneric as httpAction } from "convex/server";')
    .join("\n"),
  api: `import { anyApi, componentsGeneric } from "convex/server";
export const api = anyApi;
export const internal = anyApi;
export const components = componentsGeneric();`,
  dataModel: "export {};",
};

/** A project whose `_generated` is not committed works without it: nothing in it is the project's own. */
const ungenerated: Plugin = {
  name: "ungenerated",
  setup(build) {
    const filter = /(?:^|\/)_generated\/(server|api|dataModel)(?:\.[jt]s)?$/;
    build.onResolve({ filter }, ({ path, resolveDir }) => {
      const [, name = ""] = filter.exec(path) ?? [];
      const base = join(resolveDir, path).replace(/\.[jt]s$/, "");
      if ([".js", ".ts", ".mjs"].some((end) => existsSync(base + end))) return undefined;
      return { path: name, namespace: "ungenerated" };
    });
    build.onLoad({ filter: /./, namespace: "ungenerated" }, ({ path }) => ({
      contents: GENERATED[path] ?? "",
      loader: "js",
    }));
  },
};

function readSchema(deployment: Deployment, value: unknown): void {
  const schema = value as { export(): string };
  deployment.schemaText = schema.export();
  deployment.schema = parseSchema(deployment.schemaText);
}

function asFunction(path: string, value: unknown): ConvexFunction | null {
  if (typeof value !== "function") return null;
  const registered = value as unknown as Registered;
  if (registered.isPublic !== true && registered.isInternal !== true) return null;
  const returns = JSON.parse(registered.exportReturns()) as ValidatorJson | null;
  const common = {
    path,
    isPublic: registered.isPublic === true,
    args: JSON.parse(registered.exportArgs()) as ValidatorJson,
    returns,
  };
  const { invokeQuery, invokeMutation, invokeAction } = registered;
  if (invokeQuery) return { ...common, kind: "query", invoke: (args) => invokeQuery(args) };
  if (invokeMutation)
    return { ...common, kind: "mutation", invoke: (args) => invokeMutation(args) };
  if (invokeAction) {
    return {
      ...common,
      kind: "action",
      invoke: (args, requestId) => invokeAction(requestId, args),
    };
  }
  return null;
}

/** `dir/module.js:name`, `dir/module:name` and `dir/module` (its default export) are all accepted. */
export function canonicalPath(path: string): string {
  const [module = "", name = "default"] = path.split(":");
  return `${module.replace(/\.(js|ts)$/, "")}:${name}`;
}
