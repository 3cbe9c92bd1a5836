// The steps of a project generation: writes a small Vite + React + TypeScript project, the files of
// one step per conversation, as many in a turn as its token limit has room for. What another step
// wrote is looked up in the project and never remembered.

import type { ConversationView } from "../../request.ts";
import type { Knowledge, Persona, Reply, ToolCall } from "../knowledge.ts";
import { componentFiles } from "./files/components.ts";
import { configFiles } from "./files/config.ts";
import { hookFiles, typeFiles, utilityFiles } from "./files/data.ts";
import { pageFiles } from "./files/pages.ts";
import { readme } from "./files/readme.ts";
import { structureFiles } from "./files/structure.ts";
import { clientProduct, describedProduct, type Product } from "./product.ts";
import { type Step, type StepRequest, stepRequestOf } from "./step.ts";

/** What the product asks for where a request names no limit. */
const DEFAULT_MAX_TOKENS = 2_000;
/** The rule of thumb of the usage numbers (openai.ts), with some room left. */
const CHARS_PER_TOKEN = 4;
const USED_SHARE = 0.85;

export const generateProject: Persona = {
  name: "generate-project",
  applies: (view) => stepRequestOf(view) !== undefined,
  reply(view, project) {
    const request = stepRequestOf(view);
    if (request === undefined) return { say: "Which step of the project shall I do?" };
    const product = productOf(request);
    switch (request.step) {
      case "verify":
        return verify(product, project);
      case "utilities":
        return utilities(view, project);
      case "repair":
        return { say: "These problems are not of my making: my own files have none to repair." };
      case "readme":
        return finish(view, product, project);
      default:
        return write(view, project, filesOf(request.step, product));
    }
  },
};

/** Every file of the project that these words give, by path. */
export function generatedFiles(description: string, general: boolean): Map<string, string> {
  const product = productOf({ step: "verify", description: description.trim(), general });
  const steps: Step[] = [
    "config",
    "structure",
    "components",
    "pages",
    "hooks",
    "types",
    "utilities",
  ];
  const files = steps.flatMap((step) => filesOf(step, product));
  return new Map([...files, ["README.md", readme(product, pagesOf(product))]]);
}

function productOf({ description, general }: StepRequest): Product {
  return general ? describedProduct(description) : clientProduct(description);
}

function filesOf(step: Step, product: Product): [string, string][] {
  switch (step) {
    case "config":
      return configFiles(product);
    case "structure":
      return structureFiles(product);
    case "components":
      return componentFiles(product);
    case "pages":
      return pageFiles(product);
    case "hooks":
      return hookFiles(product);
    case "types":
      return typeFiles(product);
    case "utilities":
      return utilityFiles();
    default:
      return [];
  }
}

/** Writes what is not written yet, as much as one turn may hold. */
function write(
  view: ConversationView,
  project: Knowledge,
  files: readonly [string, string][],
): Reply {
  const open = files.filter(([path]) => !project.written.has(path) && !project.failed.has(path));
  if (open.length === 0) return { say: report(project) };
  const room = (view.maxTokens ?? DEFAULT_MAX_TOKENS) * CHARS_PER_TOKEN * USED_SHARE;
  const calls: ToolCall[] = [];
  let used = 0;
  for (const [path, content] of open) {
    const args = { path, content };
    used += JSON.stringify(args).length;
    // One at least: what does not fit alone never would.
    if (calls.length > 0 && used > room) break;
    calls.push({ name: "writeFile", args });
  }
  return { calls };
}

function report({ written, failed }: Knowledge): string {
  const lines = [`Written: ${[...written].join(", ")}.`];
  for (const [path, result] of failed) lines.push(`Not written: ${path} (${result})`);
  return lines.join("\n");
}

/** The first of them in any case; of the others those that are not there. */
function utilities(view: ConversationView, project: Knowledge): Reply {
  const [first, ...others] = utilityFiles();
  const begun = write(view, project, first === undefined ? [] : [first]);
  if (begun.calls !== undefined) return begun;
  const listed = project.listed.get("src/utils");
  if (listed === undefined && view.tools.has("listFiles")) {
    return { calls: [{ name: "listFiles", args: { path: "src/utils" } }] };
  }
  const there = namesIn(listed);
  const missing = others.filter(([path]) => !there.includes(path.slice("src/utils/".length)));
  return write(view, project, missing);
}

/** Writes the README, then looks which pages there really are. */
function finish(view: ConversationView, product: Product, project: Knowledge): Reply {
  const expected = pagesOf(product);
  const written = project.written.has("README.md") || project.failed.has("README.md");
  if (!written) return write(view, project, [["README.md", readme(product, expected)]]);
  const listed = project.listed.get("src/pages");
  if (listed === undefined && view.tools.has("listFiles")) {
    return { calls: [{ name: "listFiles", args: { path: "src/pages" } }] };
  }
  const pages = namesIn(listed)
    .flatMap((name) => /^(\w+)\.tsx$/.exec(name)?.[1] ?? [])
    .sort();
  const differs = pages.length > 0 && pages.join() !== expected.join();
  const writes = view.turns
    .flatMap(({ calls }) => calls)
    .filter(({ name }) => name === "writeFile");
  if (differs && writes.length === 1) {
    const content = readme(product, pages);
    return { calls: [{ name: "writeFile", args: { path: "README.md", content } }] };
  }
  return { say: report(project) };
}

function verify(product: Product, project: Knowledge): Reply {
  const root = project.listed.get("");
  if (root === undefined) return { calls: [{ name: "listFiles", args: {} }] };
  const there = namesIn(root);
  const missing = [...configFiles(product).map(([path]) => path), "src", "README.md"].filter(
    (path) => !there.includes(path),
  );
  if (missing.length > 0) return { say: `The project lacks ${missing.join(", ")}.` };
  return { say: "The project is complete: configuration, source code and README are there." };
}

function pagesOf(product: Product): string[] {
  return pageFiles(product)
    .flatMap(([path]) => /([^/]+)\.tsx$/.exec(path)?.[1] ?? [])
    .sort();
}

/** The names in what listFiles gave. */
function namesIn(listed: string | undefined): string[] {
  return [...(listed ?? "").matchAll(/^\[(?:file|folder)\] (.+)$/gm)].flatMap(
    (found) => found[1] ?? [],
  );
}
