// "Add a counter", "add a footer": writes a React component of a well-known kind and uses it in the
// app, in the project's own style.

import { addElement, addElementLast, addImport, findApp, inStyle, styleOf } from "./code.ts";
import { findFile, folderOf, type Persona, readsFor, survey } from "./knowledge.ts";

interface Kind {
  name: string;
  pattern: RegExp;
  first?: true;
  code: (typed: boolean) => string;
}

const KINDS: readonly Kind[] = [
  {
    name: "Counter",
    pattern: /\bcounter\b/i,
    code: () => `import { useState } from "react";

export function Counter() {
  const [count, setCount] = useState(0);

  return (
    <section className="counter">
      <p>Count: {count}</p>
      <button type="button" onClick={() => setCount(count + 1)}>
        Add one
      </button>
      <button type="button" onClick={() => setCount(0)} disabled={count === 0}>
        Reset
      </button>
    </section>
  );
}
`,
  },
  {
    name: "TodoList",
    pattern: /\bto-?\s?do\b/i,
    code: (
      typed,
    ) => `${typed ? 'import { type FormEvent, useState } from "react";' : 'import { useState } from "react";'}
${typed ? "\ninterface Todo {\n  id: number;\n  text: string;\n  done: boolean;\n}\n" : ""}
export function TodoList() {
  const [todos, setTodos] = useState${typed ? "<Todo[]>" : ""}([]);
  const [text, setText] = useState("");

  function add(event${typed ? ": FormEvent" : ""}) {
    event.preventDefault();
    if (text.trim() === "") return;
    setTodos([...todos, { id: Date.now(), text: text.trim(), done: false }]);
    setText("");
  }

  function toggle(id${typed ? ": number" : ""}) {
    setTodos(todos.map((todo) => (todo.id === id ? { ...todo, done: !todo.done } : todo)));
  }

  return (
    <section className="todo-list">
      <form onSubmit={add}>
        <input value={text} onChange={(event) => setText(event.target.value)} aria-label="New to-do" />
        <button type="submit">Add</button>
      </form>
      <ul>
        {todos.map((todo) => (
          <li key={todo.id}>
            <label>
              <input type="checkbox" checked={todo.done} onChange={() => toggle(todo.id)} />
              {todo.text}
            </label>
          </li>
        ))}
      </ul>
    </section>
  );
}
`,
  },
  {
    name: "Clock",
    pattern: /\bclock\b/i,
    code: () => `import { useEffect, useState } from "react";

export function Clock() {
  const [now, setNow] = useState(() => new Date());

  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), 1000);
    return () => clearInterval(timer);
  }, []);

  return <time dateTime={now.toISOString()}>{now.toLocaleTimeString()}</time>;
}
`,
  },
  {
    name: "Navbar",
    pattern: /\b(nav(bar|igation)?|menu|header)\b/i,
    first: true,
    code: () => `const LINKS = [
  { href: "#home", label: "Home" },
  { href: "#about", label: "About" },
];

export function Navbar() {
  return (
    <nav className="navbar">
      {LINKS.map((link) => (
        <a key={link.href} href={link.href}>
          {link.label}
        </a>
      ))}
    </nav>
  );
}
`,
  },
  {
    name: "Footer",
    pattern: /\bfooter\b/i,
    code: () => `export function Footer() {
  return (
    <footer className="footer">
      <small>© {new Date().getFullYear()}. All rights reserved.</small>
    </footer>
  );
}
`,
  },
  {
    name: "ContactForm",
    pattern: /\b(contact|form)\b/i,
    code: (
      typed,
    ) => `${typed ? 'import { type FormEvent, useState } from "react";' : 'import { useState } from "react";'}

export function ContactForm() {
  const [sent, setSent] = useState(false);

  function submit(event${typed ? ": FormEvent" : ""}) {
    event.preventDefault();
    setSent(true);
  }

  if (sent) return <p role="status">Thank you, we will be in touch.</p>;

  return (
    <form className="contact-form" onSubmit={submit}>
      <label>
        Email
        <input type="email" name="email" required />
      </label>
      <label>
        Message
        <textarea name="message" rows={4} required />
      </label>
      <button type="submit">Send</button>
    </form>
  );
}
`,
  },
  {
    name: "ActionButton",
    pattern: /\bbutton\b/i,
    code: () => `import { useState } from "react";

export function ActionButton() {
  const [clicked, setClicked] = useState(false);

  return (
    <button type="button" onClick={() => setClicked(true)}>
      {clicked ? "Done" : "Click me"}
    </button>
  );
}
`,
  },
];

export const addComponent: Persona = {
  name: "add-component",
  applies: ({ userText }) =>
    /\b(add|create|build|make|implement|put)\b/i.test(userText) &&
    KINDS.some((kind) => kind.pattern.test(userText)),
  reply(view, project) {
    const kind = KINDS.find((candidate) => candidate.pattern.test(view.userText));
    if (kind === undefined) return { say: "Tell me which component you would like." };
    const look = survey(view, project);
    if (look !== undefined) return { say: "I'll look at the project first.\n\n", calls: [look] };
    const files = project.files ?? [];
    const app = findApp(files);
    const reads = readsFor(view, project, [findFile(files, "package.json"), app]);
    if (reads.length > 0) return { calls: reads };
    const source = app === undefined ? "" : (project.read.get(app) ?? "");
    const style = styleOf(app ?? "App.tsx", source);
    const path = `${app === undefined ? "src/" : folderOf(app)}components/${kind.name}.${style.typescript ? "tsx" : "jsx"}`;
    const code = inStyle(kind.code(style.typescript), style);
    if (!view.tools.has("writeFile")) {
      return {
        say: `I cannot write files here. This would be \`${path}\`:\n\n\`\`\`tsx\n${code}\`\`\``,
      };
    }
    if (new RegExp(`\\b${kind.name}\\b`).test(source) && !project.written.has(path)) {
      return { say: `\`${app}\` already uses \`${kind.name}\`. Nothing was changed.` };
    }
    const element = `<${kind.name} />`;
    const placed =
      kind.first === true ? addElement(source, element) : addElementLast(source, element);
    const edits: [string, string][] = [[path, code]];
    if (app !== undefined && placed !== undefined) {
      const statement = inStyle(`import { ${kind.name} } from "./components/${kind.name}";`, style);
      edits.push([app, addImport(placed, statement)]);
    }
    const open = edits.filter(
      ([target]) => !project.written.has(target) && !project.failed.has(target),
    );
    if (open.length > 0) {
      return {
        say: `I'll write \`${kind.name}\` as a component of its own.\n\n`,
        calls: open.map(([target, content]) => ({
          name: "writeFile",
          args: { path: target, content },
        })),
      };
    }
    const failures = edits.flatMap(([target]) => {
      const failure = project.failed.get(target);
      return failure === undefined ? [] : [`- \`${target}\`: ${failure}`];
    });
    if (failures.length > 0)
      return { say: `Not everything could be written:\n\n${failures.join("\n")}` };
    const used =
      edits.length > 1
        ? `\`${app}\` imports it and shows it.`
        : `Import it where you need it and place \`${element}\` there.`;
    return { say: `\`${path}\` holds the new **${kind.name}** component. ${used}` };
  },
};
