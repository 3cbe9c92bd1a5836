// What of an app's own function goes on in the task that takes its place: its prompt, numbers, model and
// tools, as they stand in its source. What cannot be taken is listed, with the place where it goes.

import type * as ts from "typescript";
import { findCall, firstValue, importedFiles, NUMBERS, numberOf, type Place } from "./call.ts";
import { type Extraction, NotTakenError } from "./extract.ts";
import { type InngestFunction, property } from "./inngest.ts";
import { DEFAULT_KEY, type Model, modelOf } from "./model.ts";
import type { Plan } from "./plan.ts";
import type { Sources } from "./sources.ts";

export interface Carried {
  /** For `options.limits`, as source text. */
  limits: Map<string, string>;
  /** Of what the carried file exports: how it is used, as source text. */
  prompt?: string;
  tools?: string;
  models: { primary?: Model; fallback?: Model };
  /** As source text. */
  maxAttempts?: string;
  concurrencyLimit?: string;
}

/** The names that an app's own code may have for what a run gives its tools. */
const SCOPE: Readonly<Record<string, string>> = {
  projectId: "projectId",
  project: "projectId",
  internalKey: "internalKey",
  convexInternalKey: "internalKey",
};

export function carryOver(
  sources: Sources,
  plan: Plan,
  fn: InngestFunction,
  into: Extraction,
): Carried {
  const carried: Carried = { limits: new Map(), models: {} };
  const { file, node } = fn;
  carryRunnerOptions(sources, plan, fn, carried);
  const call = findCall(sources, file, node);
  if (call === undefined) {
    plan.left.push(
      `${file}: no call of a model was found; prompt, numbers and tools are the defaults`,
    );
    return carried;
  }
  const model = carryModels(sources, plan, { file, node }, call, carried);
  for (const [ours, theirs] of Object.entries(NUMBERS)) {
    const value = numberOf(sources, call, model?.settings, { file, node }, theirs);
    if (value !== undefined) carryNumber(sources, plan, into, carried, ours, value);
  }
  carryPrompt(sources, plan, into, carried, call);
  carryTools(sources, plan, into, carried, call);
  listSteps(sources, plan, fn);
  return carried;
}

/** `retries` and `concurrency` of the function; other options have no counterpart that is certain. */
function carryRunnerOptions(
  { ts }: Sources,
  plan: Plan,
  { file, node, id }: InngestFunction,
  carried: Carried,
): void {
  const [options] = node.arguments;
  if (options === undefined) return;
  const retries = property(ts, options, "retries");
  if (retries !== undefined && ts.isNumericLiteral(retries)) {
    carried.maxAttempts = String(Number(retries.text) + 1);
  } else if (retries !== undefined) {
    plan.left.push(
      `${file}: retries is ${retries.getText()}; set MAX_ATTEMPTS in the task of ${id}`,
    );
  }
  const concurrency = property(ts, options, "concurrency");
  const limit = concurrency && (property(ts, concurrency, "limit") ?? concurrency);
  if (limit !== undefined && ts.isNumericLiteral(limit)) {
    carried.concurrencyLimit = limit.getText();
    const key = concurrency && property(ts, concurrency, "key");
    if (key !== undefined) {
      plan.left.push(
        `${file}: concurrency has the key ${key.getText()}; give tasks.trigger a concurrencyKey (docs/production.md)`,
      );
    }
  } else if (concurrency !== undefined) {
    plan.left.push(
      `${file}: concurrency is ${oneLine(concurrency)}; set queue in the task of ${id}`,
    );
  }
  for (const name of ["throttle", "rateLimit", "debounce", "priority", "timeouts", "onFailure"]) {
    const value = property(ts, options, name);
    if (value === undefined) continue;
    plan.left.push(`${file}: ${name} of ${id} is not carried over: ${oneLine(value)}`);
  }
}

function carryModels(
  sources: Sources,
  plan: Plan,
  root: { file: string; node: ts.Node },
  call: Place,
  carried: Carried,
): Model | undefined {
  const { ts } = sources;
  const named = property(ts, call.node, "model") as ts.Expression | undefined;
  const primary = named && modelOf(sources, call.file, named);
  if (primary !== undefined) carried.models.primary = primary;
  const others: { model: Model; isFallback: boolean }[] = [];
  const seen = new Set<string>();
  const look = (file: string, node: ts.Node): void => {
    if (node === named) return;
    if (ts.isCallExpression(node)) {
      const found = modelOf(sources, file, node);
      if (found !== undefined) {
        others.push({ model: found, isFallback: /fallback|backup|secondary/i.test(around(node)) });
        return;
      }
    }
    ts.forEachChild(node, (child) => look(file, child));
  };
  // The function's own file, the file of the call, and what these import.
  for (const file of new Set([
    root.file,
    call.file,
    ...importedFiles(sources, root.file),
    ...importedFiles(sources, call.file),
  ])) {
    if (seen.has(file)) continue;
    seen.add(file);
    look(file, sources.tree(file));
  }
  const fallback = others.find(({ isFallback }) => isFallback)?.model;
  const rest = others.filter(({ isFallback }) => !isFallback).map(({ model }) => model);
  if (primary === undefined && named === undefined && rest[0] !== undefined) {
    carried.models.primary = rest[0];
  }
  if (fallback !== undefined) carried.models.fallback = fallback;
  const { primary: chosen } = carried.models;
  if (chosen === undefined) {
    plan.left.push(
      named === undefined
        ? `${call.file}: the model was not found; set POLARIS_PRIMARY_MODEL (docs/configuration.md)`
        : `${call.file}: the model is ${oneLine(named)}; set POLARIS_PRIMARY_MODEL (docs/configuration.md)`,
    );
  }
  const names = new Set([chosen?.name, fallback?.name]);
  for (const { name } of rest.filter((each) => !names.has(each.name))) {
    names.add(name);
    plan.left.push(
      `${root.file}: another model, ${name}, is asked for something else; that is not carried over`,
    );
  }
  for (const model of [chosen, fallback]) {
    if (model === undefined || model.keyVariable === undefined) continue;
    if (model.keyVariable !== DEFAULT_KEY) {
      plan.notes.push(`${model.name} goes on with the key in ${model.keyVariable}.`);
    }
  }
  return chosen;
}

/** What names a value: its variable, property and function. */
function around(node: ts.Node): string {
  const names: string[] = [];
  for (let at: ts.Node | undefined = node; at !== undefined && names.length < 4; at = at.parent) {
    const { name } = at as { name?: ts.Node };
    if (name !== undefined) names.push(name.getText());
  }
  return names.join(" ");
}

function carryNumber(
  sources: Sources,
  plan: Plan,
  into: Extraction,
  carried: Carried,
  name: string,
  { file, node }: { file: string; node: ts.Expression },
): void {
  const { ts } = sources;
  const { node: value } = sources.value(file, node);
  const isNumber =
    ts.isNumericLiteral(value) ||
    (ts.isPrefixUnaryExpression(value) && ts.isNumericLiteral(value.operand));
  if (isNumber) {
    carried.limits.set(name, value.getText());
    return;
  }
  try {
    const exported = `app${name[0]?.toUpperCase()}${name.slice(1)}`;
    into.addExport(`export const ${exported} = ${into.take(file, node)};`);
    carried.limits.set(name, exported);
  } catch (error) {
    list(
      plan,
      file,
      `${name} is ${oneLine(node)}`,
      `set it in trigger/tasks/process-message.ts`,
      error,
    );
  }
}

function carryPrompt(
  sources: Sources,
  plan: Plan,
  into: Extraction,
  carried: Carried,
  call: Place,
): void {
  const { ts } = sources;
  const written = property(ts, call.node, "system") ?? property(ts, call.node, "instructions");
  if (written === undefined) return;
  const { file, node, changedOn } = firstValue(sources, call.file, written as ts.Expression);
  try {
    const text = into.take(file, node);
    const { node: value } = sources.value(file, node);
    const isConstant = ts.isStringLiteralLike(value);
    into.addExport(
      isConstant
        ? `export const appPrompt = ${text};`
        : `/** Made anew for each run. */\nexport const appPrompt = () => ${text};`,
    );
    carried.prompt = isConstant ? "appPrompt" : "appPrompt()";
  } catch (error) {
    const where = "give it to prompts.system in trigger/tasks/process-message.ts";
    list(plan, file, `the system prompt is ${oneLine(node)}`, where, error);
  }
  if (changedOn.length > 0) {
    plan.left.push(
      `${call.file}: the prompt is added to on line ${changedOn.join(", ")}; earlier messages are sent by the core itself, as messages`,
    );
  }
}

function carryTools(
  sources: Sources,
  plan: Plan,
  into: Extraction,
  carried: Carried,
  call: Place,
): void {
  const { ts } = sources;
  const written = property(ts, call.node, "tools") as ts.Expression | undefined;
  if (written === undefined) return;
  const { file, node } = firstValue(sources, call.file, written);
  try {
    const text = into.take(file, node, Object.keys(SCOPE));
    const used = Object.entries(SCOPE).filter(([name]) => new RegExp(`\\b${name}\\b`).test(text));
    const scope = used
      .map(([name, ours]) => (name === ours ? name : `${ours}: ${name}`))
      .join(", ");
    const describe = describerFor(sources, plan);
    if (describe !== undefined) into.addImport(describe.line);
    into.addImport('import { portTools } from "./ported-tools";');
    const made = ts.isObjectLiteralExpression(node) ? `(${text})` : text;
    into.addExport(
      `export const appTools = portTools((${scope === "" ? "" : `{ ${scope} }`}) => ${made}${describe === undefined ? "" : `, ${describe.name}`});`,
    );
    carried.tools = "appTools";
  } catch (error) {
    const where = "give them to options.tools in trigger/tasks/process-message.ts, by defineTool";
    list(plan, file, `the tools are ${oneLine(node)}`, where, error);
  }
}

/** zod says what a schema reads from 4.2 on; before, a function does. */
function describerFor(
  { project }: Sources,
  plan: Plan,
): { line: string; name: string } | undefined {
  const manifest = JSON.parse(plan.get("package.json") ?? "{}") as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const wanted = manifest.dependencies?.zod ?? manifest.devDependencies?.zod;
  const [, major, minor] = /(\d+)(?:\.(\d+))?/.exec(project.installed("zod") ?? wanted ?? "") ?? [];
  if (major === undefined) return undefined;
  if (Number(major) === 3) {
    plan.dependencies.set("zod-to-json-schema", "3.25.2");
    return {
      line: 'import { zodToJsonSchema } from "zod-to-json-schema";',
      name: "zodToJsonSchema",
    };
  }
  if (Number(major) === 4 && Number(minor ?? 0) < 2) {
    return { line: 'import { toJSONSchema } from "zod";', name: "toJSONSchema" };
  }
  return undefined;
}

/** What a function did in steps is the core's now, or is said. */
function listSteps({ ts }: Sources, plan: Plan, { file, node, id }: InngestFunction): void {
  const steps: string[] = [];
  const visit = (at: ts.Node): void => {
    if (
      ts.isCallExpression(at) &&
      /\bstep\.(run|sendEvent|invoke|waitForEvent|sleep)$/.test(at.expression.getText())
    ) {
      const [name] = at.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) steps.push(name.text);
    }
    ts.forEachChild(at, visit);
  };
  visit(node);
  if (steps.length === 0) return;
  plan.notes.push(
    `The steps of ${id} were: ${steps.join(", ")}. Reading the conversation, asking the model, running tools and storing the answer is the core's now; if a step did more than that, it is in git (git show HEAD:${file}).`,
  );
}

function list(plan: Plan, file: string, what: string, where: string, error: unknown): void {
  if (!(error instanceof NotTakenError)) throw error;
  plan.left.push(`${file}: ${what}: ${error.message}; ${where}`);
}

function oneLine(node: ts.Node): string {
  const text = node.getText().replace(/\s+/g, " ");
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
