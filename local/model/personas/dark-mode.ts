// "Add a dark mode toggle": reads the project, writes a ThemeToggle component in the project's own
// style, puts it into the app, adds the colours, and says what it did.

import type { ConversationView } from "../request.ts";
import { addElement, addImport, findApp, findStylesheet, inStyle, styleOf } from "./code.ts";
import {
  baseName,
  fence,
  findFile,
  folderOf,
  type Knowledge,
  type Persona,
  type Reply,
  readsFor,
  survey,
} from "./knowledge.ts";

export const darkMode: Persona = {
  name: "dark-mode",
  applies: ({ userText }) =>
    /\b(dark|light|night)[\s-]*(mode|theme)|theme\s*(toggle|switch)/i.test(userText) &&
    /\b(add|create|build|make|implement|want|need|put|give|support|can you)\b/i.test(userText),
  reply(view, project) {
    const look = survey(view, project);
    if (look !== undefined) {
      return { say: "I'll look at how the project is put together first.\n\n", calls: [look] };
    }
    const files = project.files ?? [];
    const app = findApp(files);
    const sheet = findStylesheet(files);
    const page = findFile(files, "index.html");
    const reads = readsFor(view, project, [
      findFile(files, "package.json"),
      app,
      sheet,
      app === undefined ? page : undefined,
    ]);
    if (reads.length > 0) return { say: "Let me read the files this touches.\n\n", calls: reads };

    const source = app === undefined ? undefined : project.read.get(app);
    if (app !== undefined && source !== undefined)
      return inReact(view, project, app, source, sheet);
    return inPlainHtml(view, project, page ?? "index.html");
  },
};

function inReact(
  view: ConversationView,
  project: Knowledge,
  app: string,
  source: string,
  sheet: string | undefined,
): Reply {
  const already = /\b(ThemeToggle|DarkModeToggle|ThemeSwitch\w*)\b/.exec(source);
  const style = styleOf(app, source);
  const extension = style.typescript ? "tsx" : "jsx";
  const component = `${folderOf(app)}components/ThemeToggle.${extension}`;
  if (already !== null && !project.written.has(app)) {
    return {
      say: `\`${app}\` already uses \`${already[1]}\`, so the project has a theme toggle. Nothing was changed. Tell me what it should do differently and I will adapt it.`,
    };
  }
  const importLine = inStyle(`import { ThemeToggle } from "./components/ThemeToggle";`, style);
  const changed = addElement(source, "<ThemeToggle />");
  const edits: [string, string][] = [
    [component, inStyle(toggleComponent(style.typescript), style)],
  ];
  if (changed !== undefined) edits.push([app, addImport(changed, importLine)]);
  const css = sheet === undefined ? undefined : project.read.get(sheet);
  if (sheet !== undefined && css !== undefined) {
    edits.push([sheet, `${css.trimEnd()}\n\n${themeStyles(css)}`]);
  }

  if (!view.tools.has("writeFile")) {
    const [, code = ""] = edits[0] ?? [];
    return {
      say: `I cannot write files here, so this is what to add.\n\n**${component}**\n\n${fence(extension, code)}\n\nThen import it in \`${app}\` and place \`<ThemeToggle />\` where it should appear.`,
    };
  }
  const open = edits.filter(([path]) => !project.written.has(path) && !project.failed.has(path));
  if (open.length > 0) {
    return {
      say: `\`${baseName(app)}\` is a React component${sheet === undefined ? "" : ` styled by \`${sheet}\``}. I'll add the toggle as a component of its own and use it there.\n\n`,
      calls: open.map(([path, content]) => ({ name: "writeFile", args: { path, content } })),
    };
  }
  const failures = edits.flatMap(([path]) => {
    const failure = project.failed.get(path);
    return failure === undefined ? [] : [`- \`${path}\`: ${failure}`];
  });
  if (failures.length > 0) {
    return {
      say: `The toggle is not complete: some files could not be written.\n\n${failures.join("\n")}`,
    };
  }
  const lines = [
    "The dark mode toggle is in place.",
    "",
    `- **\`${component}\`** (new): a button that switches between light and dark. It starts with the choice saved in \`localStorage\`, otherwise with the system's preference, and sets \`data-theme\` on the root element.`,
    changed === undefined
      ? `- I found no safe place for it in \`${app}\`: put \`<ThemeToggle />\` where it should appear and import it from \`./components/ThemeToggle\`.`
      : `- **\`${app}\`**: imports \`ThemeToggle\` and renders it.`,
  ];
  if (sheet !== undefined && css !== undefined) {
    lines.push(
      `- **\`${sheet}\`**: colours for both themes as CSS variables, and the button's style.`,
    );
  } else {
    lines.push(
      '- There is no global stylesheet yet; style `:root[data-theme="dark"]` where you add one.',
    );
  }
  lines.push(
    "",
    "To try it, start the dev server and click the button. Reload: the choice is kept.",
  );
  return { say: lines.join("\n") };
}

function inPlainHtml(view: ConversationView, project: Knowledge, page: string): Reply {
  const source = project.read.get(page);
  const content =
    source === undefined
      ? `<!doctype html>\n<html lang="en">\n  <head>\n    <meta charset="utf-8" />\n    <title>Dark mode</title>\n  </head>\n  <body>\n    <h1>Hello</h1>\n${HTML_TOGGLE}  </body>\n</html>\n`
      : source.includes("</body>")
        ? source.replace("</body>", `${HTML_TOGGLE}  </body>`)
        : `${source.trimEnd()}\n${HTML_TOGGLE}`;
  if (source?.includes('id="theme-toggle"') === true && !project.written.has(page)) {
    return { say: `\`${page}\` already has a theme toggle. Nothing was changed.` };
  }
  if (!view.tools.has("writeFile")) {
    return {
      say: `I cannot write files here. Add this before \`</body>\`:\n\n${fence("html", HTML_TOGGLE)}`,
    };
  }
  const failure = project.failed.get(page);
  if (failure !== undefined && source !== undefined) {
    return { say: `\`${page}\` could not be written: ${failure}` };
  }
  if (!project.written.has(page)) {
    return {
      say: "There is no React app here, so I'll add the toggle to the page itself.\n\n",
      calls: [{ name: "writeFile", args: { path: page, content } }],
    };
  }
  return {
    say: `The dark mode toggle is in \`${page}\`: a button at the top right that switches the page's colours and keeps the choice in \`localStorage\`.`,
  };
}

function toggleComponent(typescript: boolean): string {
  const type = typescript ? `type Theme = "light" | "dark";\n\n` : "";
  const returns = typescript ? ": Theme" : "";
  const generic = typescript ? "<Theme>" : "";
  return `import { useEffect, useState } from "react";

${type}const STORAGE_KEY = "theme";

function initialTheme()${returns} {
  const saved = localStorage.getItem(STORAGE_KEY);
  if (saved === "light" || saved === "dark") return saved;
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

export function ThemeToggle() {
  const [theme, setTheme] = useState${generic}(initialTheme);

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(STORAGE_KEY, theme);
  }, [theme]);

  const next = theme === "dark" ? "light" : "dark";

  return (
    <button
      type="button"
      className="theme-toggle"
      aria-label={\`Switch to \${next} mode\`}
      onClick={() => setTheme(next)}
    >
      {theme === "dark" ? "☀️ Light" : "🌙 Dark"}
    </button>
  );
}
`;
}

function themeStyles(existing: string): string {
  // A page that already names its colours keeps the names.
  const background = /--(background|bg)\b/.exec(existing)?.[1] ?? "background";
  const text = /--(foreground|text|fg)\b/.exec(existing)?.[1] ?? "text";
  return `/* Themes: ThemeToggle sets data-theme on the root element. */
:root {
  color-scheme: light;
  --${background}: #ffffff;
  --${text}: #1b1b1f;
}

:root[data-theme="dark"] {
  color-scheme: dark;
  --${background}: #16161a;
  --${text}: #ececf1;
}

body {
  background: var(--${background});
  color: var(--${text});
  transition: background 0.2s, color 0.2s;
}

.theme-toggle {
  padding: 0.4rem 0.8rem;
  border: 1px solid currentColor;
  border-radius: 999px;
  background: transparent;
  color: inherit;
  cursor: pointer;
}
`;
}

const HTML_TOGGLE = `    <button id="theme-toggle" type="button" style="position: fixed; top: 1rem; right: 1rem">🌙 Dark</button>
    <script>
      const root = document.documentElement;
      const button = document.getElementById("theme-toggle");
      const apply = (theme) => {
        root.style.colorScheme = theme;
        localStorage.setItem("theme", theme);
        button.textContent = theme === "dark" ? "☀️ Light" : "🌙 Dark";
      };
      apply(localStorage.getItem("theme") ?? "light");
      button.addEventListener("click", () => apply(root.style.colorScheme === "dark" ? "light" : "dark"));
    </script>
`;
