// The project that a fresh local stack begins with: a small Vite and React app, as a person would
// have it after their first hour.

export const DEMO_PROJECT_NAME = "Greeting page";
export const DEMO_CONVERSATION_TITLE = "New conversation";
/** Owner of what the local stack seeds: the developer at this machine. */
export const LOCAL_OWNER_ID = "local-developer";

export const DEMO_PROJECT: Readonly<Record<string, string>> = {
  "package.json": `{
  "name": "greeting-page",
  "private": true,
  "version": "0.1.0",
  "type": "module",
  "scripts": {
    "dev": "vite",
    "build": "tsc && vite build",
    "preview": "vite preview"
  },
  "dependencies": {
    "react": "^19.1.0",
    "react-dom": "^19.1.0"
  },
  "devDependencies": {
    "@types/react": "^19.1.0",
    "@types/react-dom": "^19.1.0",
    "@vitejs/plugin-react": "^5.0.0",
    "typescript": "^5.9.0",
    "vite": "^7.1.0"
  }
}
`,
  "index.html": `<!doctype html>
<html lang="en">
  <head>
    <meta charset="UTF-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1.0" />
    <title>Greeting page</title>
  </head>
  <body>
    <div id="root"></div>
    <script type="module" src="/src/main.tsx"></script>
  </body>
</html>
`,
  "src/main.tsx": `import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import "./styles.css";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no element with the id root");

createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
`,
  "src/App.tsx": `import { useState } from "react";

const GREETINGS = ["Hello", "Bonjour", "Hola", "こんにちは", "Grüß dich"];

export function App() {
  const [name, setName] = useState("world");
  const [greeting, setGreeting] = useState(0);

  function nextGreeting() {
    setGreeting((greeting + 1) % GREETINGS.length);
  }

  return (
    <main className="page">
      <h1>
        {GREETINGS[greeting]}, {name}!
      </h1>
      <label>
        Your name
        <input value={name} onChange={(event) => setName(event.target.value)} />
      </label>
      <button type="button" onClick={nextGreeting}>
        Another language
      </button>
    </main>
  );
}
`,
  "src/styles.css": `body {
  margin: 0;
  font-family: system-ui, sans-serif;
}

.page {
  display: grid;
  gap: 1rem;
  max-width: 32rem;
  margin: 4rem auto;
  padding: 0 1rem;
}

label {
  display: grid;
  gap: 0.25rem;
}

input,
button {
  padding: 0.5rem 0.75rem;
  font: inherit;
}
`,
  "README.md": `# Greeting page

A small page that greets people in several languages.

## Start

\`\`\`sh
npm install
npm run dev
\`\`\`
`,
};
