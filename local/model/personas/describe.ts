// Says what a file is, from its text: a few true sentences, no guesses.

import { baseName } from "./knowledge.ts";

export function describeFile(path: string, content: string): string {
  const lines = content === "" ? 0 : content.replace(/\n$/, "").split("\n").length;
  const head = `**\`${path}\`** (${lines} line${lines === 1 ? "" : "s"})`;
  if (content.trim() === "") return `${head} is empty.`;
  if (baseName(path) === "package.json") return `${head}\n${describePackage(content)}`;
  if (/\.(tsx?|jsx?|mjs|mts|cjs)$/.test(path)) return `${head}\n${describeCode(content)}`;
  if (/\.(css|scss)$/.test(path)) {
    const selectors = [...content.matchAll(/^([^@{}\n][^{}\n]*)\{/gm)].map((m) =>
      (m[1] ?? "").trim(),
    );
    return `${head}\n- styles ${listed([...new Set(selectors)].map(code)) || "nothing yet"}`;
  }
  if (/\.html?$/.test(path)) {
    const title = /<title>([^<]*)<\/title>/i.exec(content)?.[1];
    const scripts = [...content.matchAll(/<script[^>]*src="([^"]+)"/g)].map((m) =>
      code(m[1] ?? ""),
    );
    const parts = [title === undefined ? "- has no title" : `- page title: “${title}”`];
    if (scripts.length > 0) parts.push(`- loads ${listed(scripts)}`);
    return `${head}\n${parts.join("\n")}`;
  }
  const first = content.split("\n").find((line) => line.trim() !== "") ?? "";
  return `${head} begins: “${first.replace(/^#+\s*/, "").slice(0, 160)}”`;
}

export interface PackageFacts {
  name: string | undefined;
  scripts: [string, string][];
  dependencies: string[];
}

export function packageFacts(content: string): PackageFacts | undefined {
  try {
    const value = JSON.parse(content) as Record<string, unknown>;
    const keys = (field: string): string[] => Object.keys((value[field] ?? {}) as object);
    return {
      name: typeof value.name === "string" ? value.name : undefined,
      scripts: Object.entries((value.scripts ?? {}) as Record<string, string>),
      dependencies: [...keys("dependencies"), ...keys("devDependencies")],
    };
  } catch {
    return undefined;
  }
}

function describePackage(content: string): string {
  const facts = packageFacts(content);
  if (facts === undefined) return "- is not valid JSON";
  const parts = [`- the package ${facts.name === undefined ? "(no name)" : code(facts.name)}`];
  if (facts.scripts.length > 0) {
    parts.push(
      `- scripts: ${facts.scripts.map(([n, c]) => `${code(n)} runs ${code(c)}`).join(", ")}`,
    );
  }
  if (facts.dependencies.length > 0)
    parts.push(`- depends on ${listed(facts.dependencies.map(code))}`);
  return parts.join("\n");
}

function describeCode(content: string): string {
  const all = (pattern: RegExp): string[] => [
    ...new Set([...content.matchAll(pattern)].map((match) => match[1] ?? "")),
  ];
  const imports = all(/^\s*import\s[^"']*["']([^"']+)["']/gm).concat(
    all(/^\s*import\s+["']([^"']+)["']/gm),
  );
  const functions = all(/(?:^|\s)function\s+([A-Za-z_$][\w$]*)/g).concat(
    all(/(?:const|let)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\s*)?(?:\([^)]*\)|[\w$]+)\s*=>/g),
  );
  const components = functions.filter((name) => /^[A-Z]/.test(name));
  const others = functions.filter((name) => !/^[A-Z]/.test(name));
  const hooks = all(/\b(use[A-Z]\w*)\s*[<(]/g);
  const types = all(/\b(?:interface|type)\s+([A-Z]\w*)/g);
  const elements = all(/<([a-z][a-z0-9]*)[\s/>]/g);
  const parts: string[] = [];
  if (components.length > 0)
    parts.push(`- defines the component${s(components)} ${listed(components.map(code))}`);
  if (others.length > 0)
    parts.push(`- defines the function${s(others)} ${listed(others.map(code))}`);
  if (types.length > 0) parts.push(`- declares the type${s(types)} ${listed(types.map(code))}`);
  if (hooks.length > 0) parts.push(`- uses the hook${s(hooks)} ${listed(hooks.map(code))}`);
  if (components.length > 0 && elements.length > 0)
    parts.push(`- renders ${listed(elements.map((e) => code(`<${e}>`)))}`);
  if (/createRoot\s*\(/.test(content)) parts.push("- mounts the React app into the page");
  if (imports.length > 0) parts.push(`- imports from ${listed(imports.map(code))}`);
  return parts.length > 0 ? parts.join("\n") : "- holds code without functions, types or imports";
}

export function listed(items: readonly string[], most = 8): string {
  const shown = items.slice(0, most);
  const rest = items.length - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  if (shown.length < 2) return shown.join("");
  return `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

export const code = (text: string): string => `\`${text}\``;
const s = (items: readonly unknown[]): string => (items.length === 1 ? "" : "s");
