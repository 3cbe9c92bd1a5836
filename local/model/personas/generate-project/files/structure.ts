// Entry points, routes and the theme.

import type { Product } from "../product.ts";

export function structureFiles(product: Product): [string, string][] {
  return [
    ["src/main.tsx", MAIN],
    ["src/App.tsx", app(product)],
    ["src/theme.css", THEME],
  ];
}

const MAIN = `import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./theme.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element with the id root");

createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
`;

function app({ main, checklist }: Product): string {
  const pages = [
    `Add${main.type}`,
    `${main.type}Detail`,
    main.plural,
    "Dashboard",
    ...(checklist === undefined ? [] : [checklist.plural]),
  ].sort();
  const routes = [
    ["/", "Dashboard"],
    [`/${main.names}`, main.plural],
    [`/${main.names}/new`, `Add${main.type}`],
    [`/${main.names}/:id`, `${main.type}Detail`],
    ...(checklist === undefined ? [] : [[`/${checklist.names}`, checklist.plural]]),
  ];
  return `import { HashRouter, Navigate, Route, Routes } from "react-router-dom";
import { Layout } from "./components/Layout";
${pages.map((name) => `import { ${name} } from "./pages/${name}";`).join("\n")}

export function App() {
  return (
    <HashRouter>
      <Layout>
        <Routes>
${routes.map(([path, name]) => `          <Route path="${path}" element={<${name} />} />`).join("\n")}
          <Route path="*" element={<Navigate to="/" replace />} />
        </Routes>
      </Layout>
    </HashRouter>
  );
}
`;
}

const THEME = `:root {
  color-scheme: light dark;
  --surface: light-dark(#ffffff, #16181d);
  --raised: light-dark(#f4f5f7, #1f2229);
  --text: light-dark(#1b1d22, #e8eaee);
  --muted: light-dark(#5c6370, #9aa2b1);
  --line: light-dark(#d9dce1, #343944);
  --accent: light-dark(#2456d6, #7ea2ff);
  --danger: light-dark(#b3261e, #ff8a80);
  font-family: system-ui, sans-serif;
  line-height: 1.5;
}

* {
  box-sizing: border-box;
}

body {
  margin: 0;
  background: var(--surface);
  color: var(--text);
}

a {
  color: var(--accent);
}

button,
.button {
  display: inline-block;
  padding: 0.45rem 0.9rem;
  border: 1px solid var(--accent);
  border-radius: 6px;
  background: var(--accent);
  color: var(--surface);
  font: inherit;
  text-decoration: none;
  cursor: pointer;
}

button.danger {
  border-color: var(--danger);
  background: transparent;
  color: var(--danger);
}
`;
