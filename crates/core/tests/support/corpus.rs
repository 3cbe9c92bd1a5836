//! Generated projects, clean and with every defect that can be sown into them.

use std::collections::BTreeMap;
use std::sync::Arc;

use polaris_core::code::index::{Index, Indexer};
use polaris_core::code::inspect::{Problem, ProblemKind, inspect};
use polaris_core::workspace::memory::MemoryFiles;
use polaris_core::workspace::snapshot::Snapshot;

pub type Project = BTreeMap<String, String>;

pub const CLEAN: usize = 20;

/// A small app in React; the bits of `n` choose how it is written.
pub fn project(n: usize) -> Project {
    let (alias, barrel, namespace, lazy, plain) =
        (n & 1 != 0, n & 2 != 0, n & 4 != 0, n & 8 != 0, n % 5 == 4);
    let (code, script) = if plain { ("jsx", "js") } else { ("tsx", "ts") };
    let typed = |text: &str| if plain { String::new() } else { text.to_owned() };
    let names = ["Client", "Task", "Invoice", "Note"];
    let entities = &names[..2 + n % 3];
    let mut files = Project::new();
    let mut add = |path: String, text: String| drop(files.insert(path, text));
    let from = |path: &str| if alias { format!("@/{path}") } else { format!("../{path}") };
    add(
        "package.json".into(),
        r#"{
  "name": "app",
  "private": true,
  "type": "module",
  "scripts": { "dev": "vite", "build": "tsc -b && vite build", "lint": "NODE_ENV=test eslint ." },
  "dependencies": { "react": "^18.3.1", "react-dom": "^18.3.1", "react-router-dom": "^6.26.0" },
  "devDependencies": {
    "@types/node": "^20.0.0",
    "@types/geojson": "^7946.0.0",
    "@vitejs/plugin-react": "^4.3.1",
    "eslint": "^9.0.0",
    "typescript": "^5.5.4",
    "vite": "^5.4.1"
  }
}
"#
        .into(),
    );
    let paths = if alias { r#", "baseUrl": ".", "paths": { "@/*": ["src/*"] }"# } else { "" };
    add(
        "tsconfig.json".into(),
        format!(
            "{{\n  // for the editor\n  \"compilerOptions\": {{ \"jsx\": \"react-jsx\", \"strict\": true{paths} }},\n}}\n"
        ),
    );
    add(
        "vite.config.ts".into(),
        "import path from \"node:path\";\nimport { readFileSync } from \"fs\";\nimport react from \"@vitejs/plugin-react\";\nimport { defineConfig } from \"vite\";\n\nexport default defineConfig({ plugins: [react()], define: { v: readFileSync(path.resolve(\"package.json\"), \"utf8\") } });\n".into(),
    );
    add(
        "index.html".into(),
        format!(
            "<!doctype html>\n<html>\n  <head><script src=\"https://cdn.example/x.js\"></script></head>\n  <body>\n    <div id=\"root\"></div>\n    <script type=\"module\" src=\"/src/main.{code}\"></script>\n  </body>\n</html>\n"
        ),
    );
    add(
        format!("src/main.{code}"),
        format!(
            "import React from \"react\";\nimport {{ createRoot }} from \"react-dom/client\";\nimport App from \"./App\";\nimport \"./index.css\";\n\ncreateRoot(document.getElementById(\"root\"){}).render(<App />);\nexport {{ React }};\n",
            typed("!")
        ),
    );
    add("src/index.css".into(), "body { margin: 0; }\n".into());
    if !plain {
        add("src/vite-env.d.ts".into(), "/// <reference types=\"vite/client\" />\ndeclare module \"virtual-data\" { export const x: number; }\n".into());
        add("src/types/index.ts".into(), {
            let types = entities
                .iter()
                .map(|name| format!("export interface {name} {{ id: string; title: string }}\n"));
            let types: String = types.collect();
            format!(
                "import type {{ Point }} from \"geojson\";\nimport {{ x }} from \"virtual-data\";\n{types}export type Place = Point & {{ x: typeof x }};\nexport enum State {{ Open, Done }}\n"
            )
        });
    }
    add("src/data/seed.json".into(), "[{ \"id\": \"1\", \"title\": \"First\" }]\n".into());
    let mut api = String::from("import seed from \"../data/seed.json\";\n\n");
    for name in entities {
        let lower = name.to_lowercase();
        api += &format!(
            "export async function load{name}s() {{\n  return seed.map((row) => ({{ ...row, kind: \"{lower}\" }}));\n}}\n"
        );
    }
    add(format!("src/lib/api.{script}"), api);
    for name in entities {
        let load = if namespace {
            format!(
                "import * as api from \"{}\";\n\nexport function use{name}s() {{\n  return api.load{name}s();\n}}\n",
                from("lib/api")
            )
        } else {
            format!(
                "import {{ load{name}s as load }} from \"{}\";\n\nexport function use{name}s() {{\n  return load();\n}}\n",
                from("lib/api")
            )
        };
        add(format!("src/hooks/use{name}s.{script}"), load);
        let kind = typed(&format!("import type {{ {name} }} from \"{}\";\n", from("types")));
        add(
            format!("src/components/{name}Card.{code}"),
            format!(
                "{kind}import styles from \"./Card.module.css\";\n\nexport function {name}Card({{ item }}{}) {{\n  return <li className={{styles.card}}>{{item.title}}</li>;\n}}\n\nexport default {name}Card;\n",
                typed(&format!(": {{ item: {name} }}"))
            ),
        );
        let card = if barrel {
            format!("import {{ {name}Card }} from \"{}\";\n", from("components"))
        } else {
            format!("import {name}Card from \"{}\";\n", from(&format!("components/{name}Card")))
        };
        add(
            format!("src/pages/{name}s.{code}"),
            format!(
                "import {{ useState }} from \"react\";\nimport {{ Link }} from \"react-router-dom\";\n{card}import {{ use{name}s }} from \"{}\";\n\nexport default function {name}s() {{\n  const [items] = useState{}([]);\n  void use{name}s();\n  return <ul><Link to=\"/\">Home</Link>{{items.map((item) => <{name}Card key={{item.id}} item={{item}} />)}}</ul>;\n}}\n",
                from(&format!("hooks/use{name}s")),
                typed("<any[]>")
            ),
        );
    }
    add("src/components/Card.module.css".into(), ".card { padding: 1rem; }\n".into());
    if barrel {
        let lines = entities.iter().enumerate().map(|(n, name)| match n % 2 {
            0 => format!("export {{ {name}Card }} from \"./{name}Card\";\n"),
            _ => format!("export * from \"./{name}Card\";\n"),
        });
        add(format!("src/components/index.{script}"), lines.collect());
    }
    let imports = entities.iter().map(|name| match lazy {
        true => format!("const {name}s = lazy(() => import(\"./pages/{name}s\"));\n"),
        false => format!("import {name}s from \"./pages/{name}s\";\n"),
    });
    let imports: String = imports.collect();
    let routes: String = entities
        .iter()
        .map(|name| format!("        <Route path=\"/{}s\" element={{<{name}s />}} />\n", name.to_lowercase()))
        .collect();
    add(
        format!("src/App.{code}"),
        format!(
            "import {{ lazy }} from \"react\";\nimport {{ BrowserRouter, Route, Routes }} from \"react-router-dom\";\n{imports}\nexport default function App() {{\n  void lazy;\n  return (\n    <BrowserRouter>\n      <Routes>\n{routes}      </Routes>\n    </BrowserRouter>\n  );\n}}\n"
        ),
    );
    add("README.md".into(), "# App\n".into());
    files
}

pub fn index(files: &Project) -> Arc<Index> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let snapshot = Arc::new(Snapshot::new(Arc::new(MemoryFiles::new(files.clone()))));
    runtime.block_on(Indexer::new(snapshot).current()).unwrap()
}

pub fn report(files: &Project) -> Vec<Problem> {
    inspect(&index(files))
}

pub struct Defect {
    pub name: String,
    /// Which project it was sown into.
    pub of: usize,
    pub files: Project,
    pub kind: ProblemKind,
    pub path: String,
    /// A missing dependency, or a wrong relative path or extension: no model is needed.
    pub is_fixable: bool,
}

/// What needs no model: the beginnings of their names.
const FIXABLE: [&str; 10] = [
    "a wrong path",
    "a path of other case",
    "one folder too high",
    "a wrong ending",
    "a lazy page that is missing",
    "a page whose script is missing",
    "a package that is not listed",
    "a package that was made up",
    "a command that is not listed",
    "JSON with a comma too many",
];

/// Every defect that can be sown into a project.
pub fn defects(n: usize) -> Vec<Defect> {
    let clean = project(n);
    let mut defects = Vec::new();
    let mut sow = |name: &str, path: &str, kind: ProblemKind, change: &dyn Fn(&mut Project)| {
        let mut files = clean.clone();
        change(&mut files);
        assert!(files != clean, "{name} in {path} of {n} changes nothing");
        let is_fixable = FIXABLE.contains(&name);
        let (name, path) = (format!("{name} in {path} of {n}"), path.to_owned());
        defects.push(Defect { name, of: n, files, kind, path, is_fixable });
    };
    let edit = |path: &str, from: &str, to: &str| {
        let (path, from, to) = (path.to_owned(), from.to_owned(), to.to_owned());
        move |files: &mut Project| {
            let text = files.get_mut(&path).unwrap();
            *text = text.replacen(&from, &to, 1);
        }
    };
    let code: Vec<String> = clean
        .keys()
        .filter(|path| [".ts", ".tsx", ".js", ".jsx"].iter().any(|end| path.ends_with(end)))
        .cloned()
        .collect();
    // One in three, by the number, so that all kinds of files have their turn over the corpus.
    for path in code.iter().skip(n % 3).step_by(3).filter(|path| clean[*path].contains('{')) {
        sow("a file that ends early", path, ProblemKind::Syntax, &|files| {
            let text = files.get_mut(path).unwrap();
            let end = text.rfind('}').unwrap();
            text.truncate(end);
        });
        sow("a stray bracket", path, ProblemKind::Syntax, &|files| {
            files.get_mut(path).unwrap().push_str("\n)\n");
        });
    }
    let find = |prefix: &str| code.iter().find(|path| path.starts_with(prefix)).unwrap().clone();
    let (app, main, page) = (find("src/App."), find("src/main."), find("src/pages/"));
    let (hook, api) = (find("src/hooks/"), find("src/lib/api."));
    let name = page.trim_start_matches("src/pages/").split('s').next().unwrap().to_owned();
    let card = format!("src/components/{name}Card");
    sow("a wrong path", &app, ProblemKind::Import, &edit(&app, "./pages/", "./page/"));
    sow("a path of other case", &app, ProblemKind::Import, &edit(&app, "./pages/", "./Pages/"));
    sow("a wrong ending", &main, ProblemKind::Import, &edit(&main, "\"./App\"", "\"./App.ts\""));
    sow("a wrong ending", &main, ProblemKind::Import, &edit(&main, "./index.css", "./index.scss"));
    sow("one folder too high", &main, ProblemKind::Import, &edit(&main, "\"./App\"", "\"../App\""));
    sow("a file that is missing", &app, ProblemKind::Import, &|files| drop(files.remove(&page)));
    sow("a stylesheet that is missing", &main, ProblemKind::Import, &|files| {
        drop(files.remove("src/index.css"));
    });
    sow("data that is missing", &api, ProblemKind::Import, &|files| {
        drop(files.remove("src/data/seed.json"));
    });
    sow(
        "an export of another name",
        &hook,
        ProblemKind::Export,
        &edit(&api, "export async function load", "export async function fetch"),
    );
    sow(
        "a function that is not exported",
        &hook,
        ProblemKind::Export,
        &edit(&api, "export async function", "async function"),
    );
    sow(
        "a name that nobody exports",
        &page,
        ProblemKind::Export,
        &edit(&page, &format!("import {{ use{name}s"), &format!("import {{ missing, use{name}s")),
    );
    if clean[&app].contains("import(\"./pages") {
        sow(
            "a lazy page that is missing",
            &app,
            ProblemKind::Import,
            &edit(&app, "import(\"./pages/", "import(\"./views/"),
        );
    } else {
        sow(
            "a default that is none",
            &app,
            ProblemKind::Export,
            &edit(&page, "export default function", "export function"),
        );
    }
    if let Some(barrel) = code.iter().find(|path| path.starts_with("src/components/index.")) {
        sow("a name that the barrel does not find", barrel, ProblemKind::Export, &|files| {
            let card = files.iter_mut().find(|(path, _)| path.starts_with(&card)).unwrap().1;
            *card = card.replace(&format!("{name}Card"), &format!("{name}Tile"));
        });
    }
    for (package, user) in
        [("react-router-dom", &app), ("react-dom", &main), ("vite", &"vite.config.ts".to_owned())]
    {
        sow("a package that is not listed", user, ProblemKind::Package, &|files| {
            let text = files.get_mut("package.json").unwrap();
            let start = text.find(&format!("\"{package}\":")).unwrap();
            let end = start + text[start..].find('"').unwrap();
            text.replace_range(start..end + 1, "\"other-");
        });
    }
    sow("a package that was made up", &hook, ProblemKind::Package, &|files| {
        files
            .get_mut(&hook)
            .unwrap()
            .insert_str(0, "import { z } from \"zod\";\nimport axios from \"@acme/axios/lib\";\n");
    });
    sow(
        "a command that is not listed",
        "package.json",
        ProblemKind::Package,
        &edit("package.json", "\"typescript\"", "\"typoscript\""),
    );
    sow(
        "JSON with a comma too many",
        "package.json",
        ProblemKind::Json,
        &edit("package.json", "\"^6.26.0\" }", "\"^6.26.0\", }"),
    );
    sow(
        "JSON that ends early",
        "src/data/seed.json",
        ProblemKind::Json,
        &edit("src/data/seed.json", "}]", ""),
    );
    sow("a configuration without an end", "tsconfig.json", ProblemKind::Json, &|files| {
        let text = files.get_mut("tsconfig.json").unwrap();
        text.truncate(text.len() / 2);
    });
    sow(
        "a page whose script is missing",
        "index.html",
        ProblemKind::Entry,
        &edit("index.html", "/src/main.", "/src/index."),
    );
    sow(
        "a page without its script",
        &main,
        ProblemKind::Entry,
        &edit("index.html", "type=\"module\" src", "type=\"module\" data-src"),
    );
    sow("no page", "package.json", ProblemKind::Entry, &|files| drop(files.remove("index.html")));
    sow(
        "an app that nothing reaches",
        &app,
        ProblemKind::Entry,
        &edit(&main, "import App from \"./App\";", "const App = () => null;"),
    );
    defects
}
