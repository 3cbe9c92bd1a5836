// "Create a file X that does Y": writes one file. Well-known little jobs get real code; content given
// in the message is taken as it is; the rest becomes a documented starting point, and the answer says
// that it is one.

import { baseName, type Persona, pathsIn } from "./knowledge.ts";

const REQUEST =
  /\b(create|add|write|make|generate)\b[^.?!\n]{0,40}?\b(file|module|script|called|named)\b/i;

export const createFile: Persona = {
  name: "create-file",
  applies: ({ userText }) =>
    pathsIn(userText).length > 0 &&
    (REQUEST.test(userText) || /^\s*(please\s+)?(create|write|make)\s+\S+\.\w+/i.test(userText)),
  reply(view, project) {
    const path = (pathsIn(view.userText)[0] ?? "new-file.txt").replace(/^\.?\//, "");
    const { content, finished } = contentFor(path, view.userText);
    if (!view.tools.has("writeFile")) {
      return {
        say: `I cannot write files here. This would be \`${path}\`:\n\n\`\`\`\n${content}\`\`\``,
      };
    }
    const failure = project.failed.get(path);
    if (failure !== undefined) return { say: `\`${path}\` was not written: ${failure}` };
    if (!project.written.has(path)) {
      return { calls: [{ name: "writeFile", args: { path, content } }] };
    }
    const lines = content.trimEnd().split("\n").length;
    const size = `${lines} line${lines === 1 ? "" : "s"}`;
    return {
      say: finished
        ? `Created \`${path}\` (${size}).`
        : `Created \`${path}\` (${size}) as a documented starting point: the body is yours to fill, or tell me more about what it should do.`,
    };
  },
};

function contentFor(path: string, text: string): { content: string; finished: boolean } {
  const given =
    /\b(?:with|containing|contents?|saying|that says)\b[^"“`]{0,30}["“`]([\s\S]+?)["”`]\s*\.?$/i.exec(
      text,
    )?.[1];
  if (given !== undefined) return { content: `${given}\n`, finished: true };
  const purpose =
    /\b(?:that|which|to|for)\s+(.+?)[.!?]*$/is
      .exec(text.slice(text.indexOf(path) + path.length))?.[1]
      ?.trim() ?? "";
  const title = baseName(path).replace(/\.[^.]+$/, "");
  const extension = /\.([^.]+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  if (/^(tsx?|jsx?|mjs|mts)$/.test(extension)) return codeFor(title, extension, purpose);
  if (extension === "md") {
    return {
      content: `# ${title}\n\n${purpose === "" ? "" : `${sentence(purpose)}\n`}`,
      finished: true,
    };
  }
  if (extension === "json") return { content: "{}\n", finished: purpose === "" };
  if (extension === "html") {
    const content = `<!doctype html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8" />\n    <title>${title}</title>\n  </head>\n  <body>\n    <h1>${purpose === "" ? title : sentence(purpose)}</h1>\n  </body>\n</html>\n`;
    return { content, finished: true };
  }
  if (extension === "css")
    return { content: `.${title} {\n  display: block;\n}\n`, finished: false };
  return { content: `${purpose === "" ? title : sentence(purpose)}\n`, finished: true };
}

function codeFor(
  title: string,
  extension: string,
  purpose: string,
): { content: string; finished: boolean } {
  const typed = extension.startsWith("ts") || extension === "mts";
  const t = (type: string): string => (typed ? `: ${type}` : "");
  const known: [RegExp, string][] = [
    [
      /\b(add|sum)s?\b/i,
      `export function add(a${t("number")}, b${t("number")})${t("number")} {\n  return a + b;\n}\n`,
    ],
    [
      /\b(hello|greet)/i,
      `export function greet(name${t("string")} = "world")${t("string")} {\n  return \`Hello, \${name}!\`;\n}\n`,
    ],
    [
      /\bfibonacci\b/i,
      `/** The n-th Fibonacci number; fibonacci(0) is 0. */\nexport function fibonacci(n${t("number")})${t("number")} {\n  let [a, b] = [0, 1];\n  for (let i = 0; i < n; i++) [a, b] = [b, a + b];\n  return a;\n}\n`,
    ],
    [
      /\bslug/i,
      `/** "Hello, World!" becomes "hello-world". */\nexport function slugify(text${t("string")})${t("string")} {\n  return text\n    .normalize("NFKD")\n    .toLowerCase()\n    .replace(/[^a-z0-9]+/g, "-")\n    .replace(/^-+|-+$/g, "");\n}\n`,
    ],
    [
      /\bdebounce/i,
      typed
        ? `/** Calls \`fn\` once no call has come for \`delayMs\` milliseconds. */\nexport function debounce<Args extends unknown[]>(fn: (...args: Args) => void, delayMs: number) {\n  let timer: ReturnType<typeof setTimeout> | undefined;\n  return (...args: Args): void => {\n    clearTimeout(timer);\n    timer = setTimeout(() => fn(...args), delayMs);\n  };\n}\n`
        : `/** Calls \`fn\` once no call has come for \`delayMs\` milliseconds. */\nexport function debounce(fn, delayMs) {\n  let timer;\n  return (...args) => {\n    clearTimeout(timer);\n    timer = setTimeout(() => fn(...args), delayMs);\n  };\n}\n`,
    ],
  ];
  for (const [pattern, content] of known) {
    if (pattern.test(purpose) || pattern.test(title)) return { content, finished: true };
  }
  if (extension.endsWith("x")) {
    const name = pascal(title);
    const content = `export function ${name}() {\n  return (\n    <section className="${title.toLowerCase()}">\n      <h2>${name}</h2>${purpose === "" ? "" : `\n      <p>${sentence(purpose)}</p>`}\n    </section>\n  );\n}\n`;
    return { content, finished: true };
  }
  const name = title.replace(/[^A-Za-z0-9]+(.)?/g, (_, next: string | undefined) =>
    (next ?? "").toUpperCase(),
  );
  const doc = purpose === "" ? title : sentence(purpose);
  return {
    content: `/** ${doc} */\nexport function ${name}(input${t("unknown")})${t("unknown")} {\n  return input;\n}\n`,
    finished: false,
  };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function pascal(text: string): string {
  return text.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, first: string) =>
    first.toUpperCase(),
  );
}
