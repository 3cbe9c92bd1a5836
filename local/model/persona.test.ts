import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { transform } from "esbuild";
import { converse } from "./fixtures/agent.ts";
import { type ModelService, startModel } from "./index.ts";

const APP = `import { useState } from "react";
import "./styles.css";

export function App() {
  const [name, setName] = useState("world");

  return (
    <main className="app">
      <h1>Hello, {name}!</h1>
      <input value={name} onChange={(event) => setName(event.target.value)} />
    </main>
  );
}
`;

function project(app = APP, extension = "tsx"): Map<string, string> {
  return new Map([
    ["package.json", '{"name":"demo","scripts":{"dev":"vite"},"dependencies":{"react":"19"}}'],
    ["index.html", "<title>Demo</title>"],
    ["README.md", "# Demo\n\nA small page that greets people.\n"],
    [`src/App.${extension}`, app],
    ["src/main.tsx", 'import { App } from "./App";\n'],
    ["src/styles.css", "body {\n  margin: 0;\n}\n"],
  ]);
}

async function compiles(path: string, source: string | undefined): Promise<void> {
  assert.ok(source !== undefined, `${path} is missing`);
  const loader = path.endsWith("css") ? "css" : "tsx";
  await transform(source, { loader, jsx: "automatic" }).catch((error: Error) => {
    assert.fail(`${path} does not compile: ${error.message}\n${source}`);
  });
}

describe("the scripted persona", () => {
  let model: ModelService;
  before(async () => {
    model = await startModel({ pace: 0 });
  });
  after(() => model.close());

  it("adds a dark mode toggle that compiles and is used by the app", async () => {
    const files = project();
    const answer = await converse(model.baseUrl, "add a dark mode toggle", files);
    const called = answer.calls.map((call) => call.name);
    assert.equal(called[0], "getProjectStructure");
    assert.ok(called.indexOf("readFile") < called.indexOf("writeFile"));
    const app = files.get("src/App.tsx") ?? "";
    assert.match(app, /import \{ ThemeToggle \} from ".\/components\/ThemeToggle";/);
    assert.match(app, /<main className="app">\n\s+<ThemeToggle \/>\n\s+<h1>Hello, \{name\}!<\/h1>/);
    await compiles("src/App.tsx", app);
    await compiles("ThemeToggle.tsx", files.get("src/components/ThemeToggle.tsx"));
    const css = files.get("src/styles.css") ?? "";
    assert.ok(css.startsWith("body {\n  margin: 0;\n}\n"), "what was there stays");
    await compiles("styles.css", css);
    assert.match(answer.text, /src\/components\/ThemeToggle\.tsx/);
    assert.equal(answer.finish, "stop");
    assert.ok(answer.calls.every((call) => call.id.startsWith("call_")));
  });

  it("writes in the project's own style and finds a place in odd components", async () => {
    const shapes = [
      "import { Page } from './Page'\n\nexport default function App() {\n  return <Page onDone={() => 1} />\n}\n",
      "import './a.css'\n\nconst App = () => (\n  <>\n    <p>hi</p>\n  </>\n)\nexport default App\n",
      "export default function App() {\n  return (\n    <div>\n      <header>\n        <h1>x</h1>\n      </header>\n    </div>\n  );\n}\n",
      "export const App = () => <div title={a > b ? 'x' : 'y'}>hi</div>;\n",
    ];
    for (const shape of shapes) {
      const files = project(shape, "jsx");
      await converse(model.baseUrl, "Please add a dark mode toggle", files);
      const app = files.get("src/App.jsx") ?? "";
      assert.match(app, /<ThemeToggle \/>/, app);
      await compiles("App.jsx", app);
      const toggle = files.get("src/components/ThemeToggle.jsx") ?? "";
      await compiles("ThemeToggle.jsx", toggle);
      assert.doesNotMatch(toggle, /<Theme>|: Theme/);
    }
    const files = project(shapes[0], "jsx");
    await converse(model.baseUrl, "add a dark mode toggle", files);
    assert.match(files.get("src/App.jsx") ?? "", /from '.\/components\/ThemeToggle'\n/);
  });

  it("changes nothing when the toggle is already there, and says so", async () => {
    const files = project();
    await converse(model.baseUrl, "add a dark mode toggle", files);
    const before = new Map(files);
    const answer = await converse(model.baseUrl, "add a dark mode toggle", files);
    assert.deepEqual(files, before);
    assert.match(answer.text, /already/);
  });

  it("adds the toggle to a plain page when there is no React app", async () => {
    const files = new Map([["index.html", "<html><body>\n  <p>hi</p>\n  </body></html>"]]);
    await converse(model.baseUrl, "add dark mode", files);
    assert.match(files.get("index.html") ?? "", /theme-toggle[\s\S]*<\/body>/);
    const empty = new Map<string, string>();
    await converse(model.baseUrl, "add a dark mode toggle", empty);
    assert.match(empty.get("index.html") ?? "", /<title>/);
  });

  it("says that it failed when the tools fail, and does not loop", async () => {
    const answer = await converse(model.baseUrl, "add a dark mode toggle", project(), [
      "getProjectStructure",
      "readFile",
    ]);
    assert.match(answer.text, /cannot write/);
    const blind = await converse(model.baseUrl, "add a dark mode toggle", project(), []);
    assert.equal(blind.steps, 1);
    assert.notEqual(blind.text, "");
  });

  it("adds well-known components", async () => {
    for (const what of [
      "counter",
      "todo list",
      "clock",
      "navbar",
      "footer",
      "contact form",
      "button",
    ]) {
      const files = project();
      await converse(model.baseUrl, `add a ${what}`, files);
      const path = [...files.keys()].find((name) => name.startsWith("src/components/")) ?? "";
      await compiles(path, files.get(path));
      await compiles("src/App.tsx", files.get("src/App.tsx"));
      const name = /components\/(\w+)/.exec(path)?.[1];
      assert.match(files.get("src/App.tsx") ?? "", new RegExp(`<${name} />`));
    }
  });

  it("lists, creates, renames, deletes and edits files", async () => {
    const files = project();
    const list = await converse(model.baseUrl, "list the files", files);
    assert.match(list.text, /6 files[\s\S]*`src\/App\.tsx`/);

    await converse(model.baseUrl, "create a file src/lib/slug.ts that slugifies titles", files);
    assert.match(files.get("src/lib/slug.ts") ?? "", /export function slugify\(text: string\)/);
    await converse(model.baseUrl, 'create a file notes.txt with "remember the milk"', files);
    assert.equal(files.get("notes.txt"), "remember the milk\n");

    await converse(model.baseUrl, "rename src/App.tsx to Home.tsx", files);
    assert.ok(!files.has("src/App.tsx"));
    assert.equal(files.get("src/Home.tsx"), APP);
    assert.equal(files.get("src/main.tsx"), 'import { App } from "./Home";\n');

    const gone = await converse(model.baseUrl, "delete notes.txt", files);
    assert.ok(!files.has("notes.txt"));
    assert.match(gone.text, /Deleted `notes\.txt`/);
    const missing = await converse(model.baseUrl, "delete nothing.txt", files);
    assert.match(missing.text, /not deleted: .*not found/i);

    await converse(model.baseUrl, "change the title to Polaris Demo", files);
    assert.equal(files.get("index.html"), "<title>Polaris Demo</title>");
  });

  it("answers questions from the files it read", async () => {
    const explained = await converse(model.baseUrl, "explain src/App.tsx", project());
    assert.match(explained.text, /component `App`/);
    assert.match(explained.text, /`useState`/);
    const about = await converse(model.baseUrl, "What does this project do?", project());
    assert.match(about.text, /greets people/);
    const nowhere = await converse(model.baseUrl, "explain src/Nope.tsx", project());
    assert.match(nowhere.text, /no `src\/Nope\.tsx`/);
    const hello = await converse(model.baseUrl, "hello", project());
    assert.equal(hello.calls.length, 0);
    const vague = await converse(model.baseUrl, "make it better", project());
    assert.match(vague.text, /demo/);
    assert.match((await converse(model.baseUrl, "hmm", new Map())).text, /no files yet/);
  });
});
