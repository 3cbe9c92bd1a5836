//! The language tools over TypeScript's real language server, confined where this machine can. Left
//! out where the optional package with the server is not installed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use polaris_core::code::server::{LanguageServer, is_hidden};
use polaris_core::config::Env;
use polaris_core::tool::ToolError;
use polaris_core::tool::command::ExecuteCommand;
use polaris_core::tool::registry::Registry;
use polaris_core::workspace::memory::MemoryFiles;
use polaris_core::workspace::snapshot::Snapshot;
use polaris_core::workspace::{ChangeLine, ProjectFiles as _};
use serde_json::{Value, json};

/// The server, if it is installed.
fn server() -> Option<PathBuf> {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let path = root.join(format!("node_modules/@typescript/typescript-linux-{arch}/lib/tsc"));
    if !path.is_file() {
        eprintln!("left out: {} is not installed", path.display());
        return None;
    }
    if is_hidden(&path) {
        eprintln!("left out: {} is in a folder that only root may enter", path.display());
        return None;
    }
    Some(path)
}

/// cargo builds the programs of other packages only when it is told to.
fn helper() -> &'static Path {
    static HELPER: OnceLock<PathBuf> = OnceLock::new();
    HELPER.get_or_init(|| {
        let program = std::env::current_exe().unwrap();
        let folder = program.ancestors().nth(2).unwrap();
        let status =
            Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "polaris-sandbox"]).status();
        assert!(status.unwrap().success());
        folder.join("polaris-sandbox")
    })
}

struct Lab {
    tools: Registry,
    snapshot: Arc<Snapshot>,
    server: Arc<LanguageServer>,
}

/// What an answer without the server says of itself.
const WITHOUT: [&str; 2] = ["without type information", "syntax only"];

impl Lab {
    fn new(files: &[(&str, &str)]) -> Option<Self> {
        Self::with(files, &helper().display().to_string())
    }

    fn with(files: &[(&str, &str)], helper: &str) -> Option<Self> {
        let path = server()?;
        let env: Env = [("POLARIS_TYPESCRIPT_PATH", path.to_str()?), ("POLARIS_SANDBOX_PATH", helper)]
            .into_iter()
            .collect();
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let files = Arc::new(MemoryFiles::new(files.collect::<BTreeMap<_, _>>()));
        let snapshot = Arc::new(Snapshot::new(files));
        let command = ExecuteCommand::new(Arc::clone(&snapshot), env.clone(), 30_000);
        let server = Arc::new(LanguageServer::new(&env));
        Some(Self { tools: Registry::for_code(&snapshot, 64 << 10, command, &server), snapshot, server })
    }

    async fn once(&self, tool: &str, args: &Value) -> String {
        match self.tools.get(tool).unwrap().call(args, 1.0).await {
            Ok(text) | Err(ToolError::Text(text)) => text,
            Err(ToolError::Fatal(error)) => panic!("{error}"),
        }
    }

    /// The answer with types: on a slow machine the first ones come without.
    async fn run(&self, tool: &str, args: Value) -> String {
        let typed = async {
            loop {
                let text = self.once(tool, &args).await;
                if !text.contains("it is still starting") && !text.contains("it took too long") {
                    return text;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(120), typed).await.expect("an answer with types")
    }

    async fn diagnostics(&self, path: &str) -> String {
        self.run("getDiagnostics", json!({ "path": path })).await
    }

    async fn at(&self, tool: &str, path: &str, line: u32, column: u32) -> String {
        self.run(tool, json!({ "path": path, "line": line, "column": column })).await
    }

    async fn write(&self, path: &str, text: &str) {
        self.snapshot.write(path, text, &ChangeLine::default()).await.unwrap();
    }
}

const PROJECT: [(&str, &str); 8] = [
    ("package.json", r#"{ "dependencies": { "react": "19", "@scope/kit": "1" } }"#),
    (
        "tsconfig.json",
        r#"{ "compilerOptions": { "strict": true, "jsx": "preserve", "lib": ["es2022", "dom"], "paths": { "@/*": ["./src/*"] } } }"#,
    ),
    (
        "src/math.ts",
        "export function add(a: number, b: number) {\n  return a + b;\n}\nexport class Box {\n  open() { return add(1, 2); }\n}\n",
    ),
    ("src/index.ts", "export { add as plus } from './math';\nexport * from '@/math';\n"),
    ("src/use.ts", "import { add, plus, Box } from '@/index';\nadd(1, plus(2, 3));\nnew Box().open();\n"),
    (
        "src/wrong.ts",
        "import { add } from '@/math';\nexport const text: string = add(1, 2);\n'😀'; const é: number = 'x';\n",
    ),
    (
        "src/page.tsx",
        "import './page.css';\nimport { useState } from 'react';\nimport kit from '@scope/kit/deep';\nimport other from 'unlisted';\nexport const page = <p>{String([useState, kit, other])}</p>;\n",
    ),
    ("src/page.css", "p {}"),
];

#[tokio::test]
async fn diagnostics_know_types_aliases_and_what_is_not_installed() {
    let Some(lab) = Lab::new(&PROJECT) else { return };
    assert_eq!(
        lab.diagnostics("./src/wrong.ts").await,
        "Found 3 diagnostic(s) (2 errors, 0 warnings, 1 other):
[error] ./src/wrong.ts:2:14 - TS2322: Type 'number' is not assignable to type 'string'.
[error] ./src/wrong.ts:3:13 - TS2322: Type 'string' is not assignable to type 'number'.
[hint] ./src/wrong.ts:3:13 - TS6133: 'é' is declared but its value is never read."
    );
    assert_eq!(lab.diagnostics("src/use.ts").await, "No diagnostics found for src/use.ts.");
    let page = lab.diagnostics("src/page.tsx").await;
    assert!(page.starts_with("Found 5 diagnostic(s) (1 errors, 0 warnings, 4 other):\n"), "{page}");
    for line in [
        "[info] src/page.tsx:2:26 - TS2307: dependency not installed: react",
        "[info] src/page.tsx:3:17 - TS2307: dependency not installed: @scope/kit",
        "[error] src/page.tsx:4:19 - TS2307: Cannot find module 'unlisted' or its corresponding type declarations.",
        "[info] src/page.tsx:5:21 - TS7026: dependency not installed: react",
        "[Not installed: @scope/kit, react. Errors about their types may follow from that.]",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    let errors = lab.run("getDiagnostics", json!({ "path": "src/page.tsx", "severity": "error" })).await;
    assert!(errors.starts_with("Found 1 diagnostic(s) (1 errors"), "{errors}");
}

#[tokio::test]
async fn references_and_definitions_are_typescripts_own() {
    let Some(lab) = Lab::new(&PROJECT) else { return };
    let found = lab.at("getReferences", "src/math.ts", 5, 3).await;
    assert_eq!(
        found,
        "Found 2 reference(s):\n[write] src/math.ts:5:3 - open() { return add(1, 2); }\n[read] src/use.ts:3:11 - new Box().open();"
    );
    let found = lab.at("getReferences", "src/use.ts", 2, 1).await;
    for line in [
        "[write] src/math.ts:1:17 - export function add(a: number, b: number) {",
        "[read] src/math.ts:5:19 - open() { return add(1, 2); }",
        "[write] src/index.ts:1:10 - export { add as plus } from './math';",
        "[write] src/use.ts:1:10 - import { add, plus, Box } from '@/index';",
        "[read] src/use.ts:2:1 - add(1, plus(2, 3));",
        "[write] src/wrong.ts:1:10 - import { add } from '@/math';",
        "[read] src/wrong.ts:2:29 - export const text: string = add(1, 2);",
    ] {
        assert!(found.contains(line), "{line} in {found}");
    }
    assert!(found.lines().nth(1).unwrap().contains("src/math.ts:1:17"), "the declaration first: {found}");
    // On the word `export`.
    assert_eq!(
        lab.at("getReferences", "src/math.ts", 1, 1).await,
        lab.at("getReferences", "src/math.ts", 1, 17).await
    );
    assert_eq!(
        lab.at("goToDefinition", "src/use.ts", 3, 11).await,
        "Definition found:\n  src/math.ts:5:3\n  method: open\n  open() { return add(1, 2); }"
    );
    assert_eq!(
        lab.at("goToDefinition", "src/use.ts", 2, 9).await,
        "Definition found:\n  src/math.ts:1:17\n  function: add\n  export function add(a: number, b: number) {"
    );
    let library = lab.at("goToDefinition", "src/page.tsx", 5, 25).await;
    assert!(library.contains(" String - lib.es5.d.ts:"), "{library}");
    assert!(!library.contains("/"), "no path of the machine: {library}");
    let package = lab.at("goToDefinition", "src/page.tsx", 2, 10).await;
    assert!(
        package.starts_with("No definition found at src/page.tsx:2:10 (the package \"react\" is not"),
        "{package}"
    );
}

#[tokio::test]
async fn every_change_is_seen_at_once() {
    let Some(lab) = Lab::new(&[("a.ts", "import { b } from './b';\nexport const a: string = b;\n")]) else {
        return;
    };
    assert!(lab.diagnostics("a.ts").await.contains("TS2307: Cannot find module './b'"));
    lab.write("b.ts", "export const b = 1;\n").await;
    assert!(lab.diagnostics("a.ts").await.contains("TS2322: Type 'number'"));
    lab.write("b.ts", "export const b = 'x';\n").await;
    assert_eq!(lab.diagnostics("a.ts").await, "No diagnostics found for a.ts.");
    lab.snapshot.delete("b.ts", &ChangeLine::default()).await.unwrap();
    assert!(lab.diagnostics("a.ts").await.contains("TS2307"));
    lab.write("b/index.tsx", "export const b = 'x';\n").await;
    assert_eq!(lab.diagnostics("a.ts").await, "No diagnostics found for a.ts.");
    // The configuration too.
    lab.write("tsconfig.json", r#"{ "compilerOptions": { "noUnusedLocals": true } }"#).await;
    lab.write("c.ts", "const unused = 1;\nexport {};\n").await;
    let found = lab.diagnostics("c.ts").await;
    assert!(found.contains("[warning] c.ts:1:7 - TS6133"), "{found}");
}

#[tokio::test]
async fn a_server_that_dies_is_started_again_and_the_call_repeated() {
    let Some(lab) = Lab::new(&PROJECT) else { return };
    let expected = lab.diagnostics("src/wrong.ts").await;
    let first = lab.server.pid().unwrap();
    kill(first);
    assert_eq!(lab.diagnostics("src/wrong.ts").await, expected);
    let second = lab.server.pid().unwrap();
    assert_ne!(first, second);
    kill(second);
    assert_eq!(lab.diagnostics("src/wrong.ts").await, expected);
    // It does not go on for ever.
    kill(lab.server.pid().unwrap());
    let given_up = lab.diagnostics("src/wrong.ts").await;
    assert_eq!(
        given_up,
        "No diagnostics found for src/wrong.ts. (syntax only: type checker unavailable, it failed)"
    );
}

#[tokio::test]
async fn nothing_is_left_when_the_run_ends() {
    let Some(lab) = Lab::new(&PROJECT) else { return };
    assert!(!lab.diagnostics("src/wrong.ts").await.contains(WITHOUT[1]));
    let pid = lab.server.pid().unwrap();
    let folder = std::fs::read_link(format!("/proc/{pid}/cwd"));
    drop(lab);
    let gone = async {
        while is_alive(pid) || folder.as_ref().is_ok_and(|folder| folder.exists()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.expect("process and folder are gone");
}

#[tokio::test]
async fn what_is_no_code_never_reaches_the_server() {
    let Some(lab) = Lab::new(&PROJECT) else { return };
    assert_eq!(lab.diagnostics("src/use.ts").await, "No diagnostics found for src/use.ts.");
    let pid = lab.server.pid();
    for (path, why) in [
        ("src/page.css", "is not a TypeScript or JavaScript file (.css)"),
        ("package.json", "is not a TypeScript or JavaScript file (.json)"),
        ("src", "src is a folder"),
        ("../x.ts", "the path leaves the project"),
        ("none.ts", "File not found: none.ts"),
    ] {
        for tool in ["getDiagnostics", "getReferences", "goToDefinition"] {
            let mut args = json!({ "path": path });
            if tool != "getDiagnostics" {
                args["line"] = json!(1);
                args["column"] = json!(1);
            }
            let text = lab.run(tool, args).await;
            assert!(text.contains(why), "{tool} {path}: {text}");
        }
    }
    assert_eq!(lab.diagnostics("src/use.ts").await, "No diagnostics found for src/use.ts.");
    assert_eq!(lab.server.pid(), pid, "it did not die");
}

#[tokio::test]
async fn a_broken_or_missing_configuration_is_no_failure() {
    for config in [None, Some("{ nonsense"), Some("7"), Some("")] {
        let mut files = vec![
            (
                "src/a.tsx",
                "import { b } from '@/b';\nexport const a: string = b;\nexport const js = <p />;\n",
            ),
            ("src/b.ts", "export const b = [1].map((n) => n)[0];\n"),
            ("package.json", r#"{ "dependencies": { "react": "19" } }"#),
        ];
        files.extend(config.map(|text| ("tsconfig.json", text)));
        let Some(lab) = Lab::new(&files) else { return };
        let found = lab.diagnostics("src/a.tsx").await;
        assert!(found.contains("[error] src/a.tsx:2:14 - TS2322: Type 'number"), "{config:?}: {found}");
        assert!(found.contains("(1 errors, "), "{config:?}: {found}");
    }
}

/// A file of this machine, outside of any project, that a project names in every way there is.
fn pointing_at(outside: &Path) -> Vec<(&'static str, String)> {
    let folder = outside.parent().unwrap().display();
    let path = outside.display();
    vec![
        (
            "tsconfig.json",
            format!(
                r#"{{ "files": ["a.ts", "{path}"], "compilerOptions": {{ "strict": true, "paths": {{ "out/*": ["{folder}/*"] }}, "typeRoots": ["{folder}"] }} }}"#
            ),
        ),
        (
            "a.ts",
            format!(
                "import s from '{path}';\nimport t from 'out/secret';\n/// <reference path=\"{path}\" />\nexport const n: number = s.canary;\nexport const m: number = t.canary;\n"
            ),
        ),
    ]
}

#[tokio::test]
async fn nothing_outside_the_project_is_read() {
    let folder = std::env::temp_dir().join(format!("polaris-outside-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let secret = folder.join("secret.ts");
    std::fs::write(&secret, "export default { canary: 'sesame' as const };\n").unwrap();
    let files = pointing_at(&secret);
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let helper = helper().display().to_string();
    for helper in [helper.as_str(), "/nowhere/polaris-sandbox"] {
        let Some(lab) = Lab::with(&files, helper) else { return };
        let found = lab.diagnostics("a.ts").await;
        assert!(!found.contains("sesame"), "{found}");
        let at = lab.at("goToDefinition", "a.ts", 4, 28).await;
        assert!(!at.contains("sesame") && !at.contains(&*folder.to_string_lossy()), "{at}");
        if helper.starts_with("/nowhere") {
            assert_eq!(
                found,
                "No diagnostics found for a.ts. (syntax only: type checker unavailable, a.ts points outside the project)"
            );
            assert_eq!(lab.server.pid(), None);
        } else {
            assert!(found.contains("TS2307"), "{found}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn a_project_that_stays_inside_is_served_without_a_sandbox_too() {
    let Some(lab) = Lab::with(&PROJECT, "/nowhere/polaris-sandbox") else { return };
    assert!(lab.diagnostics("src/wrong.ts").await.starts_with("Found 3 diagnostic(s) (2 errors"));
}

/// Where the server's copy of the project lies.
fn copy_of(lab: &Lab) -> PathBuf {
    std::fs::read_link(format!("/proc/{}/cwd", lab.server.pid().unwrap())).unwrap()
}

#[tokio::test]
async fn a_copy_that_is_lost_is_made_anew_on_disk() {
    let Some(lab) = Lab::new(&PROJECT) else { return };
    let expected = "Found 3 diagnostic(s) (2 errors";
    assert!(lab.diagnostics("src/wrong.ts").await.starts_with(expected));
    let first = copy_of(&lab);
    // Which of the two it is, the machine decides.
    let places = [Path::new("/dev/shm"), &std::env::temp_dir()].map(|place| place.canonicalize().ok());
    assert!(places.iter().flatten().any(|place| first.starts_with(place)), "{}", first.display());
    std::fs::remove_dir_all(&first).unwrap();
    lab.write("new/file.ts", "export const n = 1;\n").await;
    assert!(lab.diagnostics("src/wrong.ts").await.contains("it failed"));
    assert!(lab.diagnostics("src/wrong.ts").await.starts_with(expected));
    let second = copy_of(&lab);
    assert!(second.starts_with(std::env::temp_dir().canonicalize().unwrap()), "{}", second.display());
    assert!(second.join("new/file.ts").is_file());
    let folders = [first, second].map(|copy| copy.parent().unwrap().to_owned());
    drop(lab);
    let gone = async {
        while folders.iter().any(|folder| folder.exists()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone).await.expect("both copies are removed");
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    while is_alive(pid) {
        std::thread::yield_now();
    }
}

/// A process that is dead but not yet waited for is not alive.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
