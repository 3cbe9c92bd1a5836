//! executeCommand as the model meets it: the real helper, a real small project, real programs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use polaris_core::config::Env;
use polaris_core::tool::command::ExecuteCommand;
use polaris_core::tool::{Tool, ToolError};
use polaris_core::workspace::memory::MemoryFiles;
use polaris_core::workspace::snapshot::Snapshot;
use polaris_core::workspace::{ChangeLine, ProjectFiles as _};
use serde_json::json;

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
    files: Arc<MemoryFiles>,
    tool: ExecuteCommand,
}

const FILES: &[(&str, &str)] = &[
    (
        "package.json",
        r#"{"name":"demo","version":"1.0.0","scripts":{"test":"node --test","hello":"node -e \"console.log('hello')\""}}"#,
    ),
    ("sum.js", "exports.sum = (a, b) => a + b;\n"),
    (
        "sum.test.js",
        "const { test } = require('node:test');\nconst assert = require('node:assert');\ntest('adds', () => assert.equal(require('./sum').sum(1, 2), 3));\n",
    ),
    ("src/index.ts", "export const answer: number = 42;\n"),
    ("tsconfig.json", r#"{"compilerOptions":{"strict":true,"types":[]},"include":["src"]}"#),
    ("ugly.js", "const  a   = {b:1}\n"),
];

impl Lab {
    fn new() -> Self {
        Self::with(&[], 30_000)
    }

    fn with(variables: &[(&str, &str)], command_ms: u32) -> Self {
        let files = FILES.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        let files = Arc::new(MemoryFiles::new(files.collect::<BTreeMap<_, _>>()));
        let mut env = vec![
            ("POLARIS_SANDBOX_PATH", helper().display().to_string()),
            ("PATH", std::env::var("PATH").unwrap()),
        ];
        env.extend(variables.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let env: Env = env.into_iter().collect();
        let snapshot = Arc::new(Snapshot::new(Arc::clone(&files) as _));
        Self { files, tool: ExecuteCommand::new(snapshot, env, command_ms) }
    }

    async fn call(&self, command: &str, cwd: Option<&str>) -> Result<String, String> {
        let args = match cwd {
            Some(cwd) => json!({ "command": command, "cwd": cwd }),
            None => json!({ "command": command }),
        };
        match self.tool.call(&args, 1.0).await {
            Ok(text) => Ok(text),
            Err(ToolError::Text(text)) => Err(text),
            Err(ToolError::Fatal(error)) => panic!("{command}: {error}"),
        }
    }

    async fn ok(&self, command: &str) -> String {
        self.call(command, None).await.unwrap_or_else(|text| panic!("{command}: {text}"))
    }

    async fn err(&self, command: &str) -> String {
        self.call(command, None).await.expect_err(command)
    }

    /// Gives the workspace packages of this repository, as an installation would.
    async fn install(&self, packages: &[&str]) -> bool {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../node_modules");
        if !packages.iter().all(|package| from.join(package).is_dir()) {
            assert!(std::env::var_os("CI").is_none(), "{packages:?} are not installed");
            eprintln!("left out: {packages:?} are not installed");
            return false;
        }
        let root = PathBuf::from(self.ok("node -p 'process.cwd()'").await);
        let bin = root.join("node_modules/.bin");
        std::fs::create_dir_all(&bin).unwrap();
        for package in packages {
            let status =
                Command::new("cp").arg("-r").arg(from.join(package)).arg(root.join("node_modules")).status();
            assert!(status.unwrap().success());
        }
        for (name, target) in [("tsc", "../typescript/bin/tsc"), ("prettier", "../prettier/bin/prettier.cjs")]
        {
            std::os::unix::fs::symlink(target, bin.join(name)).unwrap();
        }
        let owner = format!("--reference={}", root.display());
        assert!(
            Command::new("chown")
                .args(["-R", "-h", &owner])
                .arg(root.join("node_modules"))
                .status()
                .unwrap()
                .success()
        );
        true
    }
}

#[tokio::test]
async fn node_npm_and_git_work_on_the_projects_files() {
    let lab = Lab::new();
    assert_eq!(lab.ok("node -p \"require('./sum').sum(20, 22)\"").await, "42");
    assert_eq!(lab.ok("npm run --silent hello").await, "hello");
    let tests = lab.ok("npm test").await;
    assert!(tests.contains("pass 1") && tests.contains("fail 0"), "{tests}");
    assert_eq!(lab.ok("test -f sum.js").await, "Command completed successfully (no output)");
    assert_eq!(
        lab.call("node -p 'process.cwd().split(`/`).pop()'", Some("/src/")).await,
        Ok("src".to_owned())
    );
}

#[tokio::test]
async fn git_shows_what_the_run_changed_since_the_stored_project() {
    let lab = Lab::new();
    let log = lab.ok("git log --format=%s").await;
    assert!(log.starts_with("The project as it was stored\n\n[This repository is new"), "{log}");
    assert_eq!(lab.ok("git status --short").await, "Command completed successfully (no output)", "said once");
    lab.files.write("sum.js", "exports.sum = (a, b) => b + a;\n", &ChangeLine::default()).await.unwrap();
    assert_eq!(lab.ok("git status --short").await, "M sum.js");
    assert!(lab.ok("git diff").await.contains("+exports.sum = (a, b) => b + a;"));
    lab.ok("git add -A && git commit -m 'Turn them round'").await;
    assert_eq!(lab.ok("git rev-list --count HEAD").await, "2");
    lab.ok("git init").await;
}

#[tokio::test]
async fn what_a_command_changes_is_stored() {
    let lab = Lab::new();
    let script = "const fs = require('fs'); fs.writeFileSync('new.txt', 'n'); fs.appendFileSync('sum.js', '//'); fs.unlinkSync('ugly.js'); fs.writeFileSync('i.png', Buffer.from([255]));";
    let text = lab.ok(&format!("node -e \"{script}\"")).await;
    assert_eq!(
        text,
        "Command completed successfully (no output)\n\nFiles changed: A 1, M 1, D 1 (1 skipped: i.png: it is binary)"
    );
    let files = lab.files.snapshot();
    assert_eq!(files["new.txt"], "n");
    assert!(files["sum.js"].ends_with("//") && !files.contains_key("ugly.js"));
}

#[tokio::test]
async fn a_failed_command_keeps_both_streams_and_its_changes() {
    let lab = Lab::new();
    let text = lab
        .err("node -e \"console.log('out'); console.error('err'); require('fs').writeFileSync('x', ''); process.exit(3)\"")
        .await;
    assert_eq!(
        text,
        "Command failed with exit code 3:\nout\n\n--- stderr ---\nerr\n\nFiles changed: A 1, M 0, D 0"
    );
    assert!(lab.files.snapshot().contains_key("x"));
}

#[tokio::test]
async fn a_chain_stops_at_the_first_failure() {
    let lab = Lab::new();
    assert_eq!(lab.ok("node -p 1 && node -p 2").await, "1\n2");
    assert_eq!(lab.err("node -e 'process.exit(1)' && node -p 2").await, "Command failed with exit code 1:");
}

#[tokio::test]
async fn a_timeout_is_called_one_and_shows_what_was_printed() {
    let lab = Lab::with(&[], 1_500);
    let text = lab.err("node -e \"console.log('begun'); setInterval(() => 0, 1000)\"").await;
    assert_eq!(
        text,
        "Command timed out after 2 seconds. Consider breaking the operation into smaller steps.\nbegun"
    );
}

#[tokio::test]
async fn most_of_a_project_is_not_deleted_unless_the_operator_allows_it() {
    let script = "node -e \"for (const f of ['sum.js','sum.test.js','ugly.js','tsconfig.json']) require('fs').unlinkSync(f)\"";
    let lab = Lab::new();
    let text = lab.ok(script).await;
    assert!(text.contains("The command deleted 4 files, more than half of the project"), "{text}");
    assert_eq!(lab.files.snapshot().len(), FILES.len());
    assert_eq!(lab.ok("test -f sum.js").await, "Command completed successfully (no output)", "they are back");
    let lab = Lab::with(&[("POLARIS_ALLOW_MASS_DELETION", "1")], 30_000);
    assert!(lab.ok(script).await.ends_with("Files changed: A 0, M 0, D 4"));
    assert_eq!(lab.files.snapshot().len(), FILES.len() - 4);
}

#[tokio::test]
async fn a_dropped_call_stores_nothing_and_leaves_no_process() {
    let lab = Lab::new();
    let root = lab.ok("node -p 'process.cwd()'").await;
    let args = json!({ "command": "node -e \"require('fs').writeFileSync('x', ''); require('child_process').spawn('sleep', ['3600'], {detached: true}); setInterval(() => 0, 1000)\"" });
    let call = lab.tool.call(&args, 1.0);
    let written = Path::new(&root).join("x");
    tokio::select! {
        _ = call => panic!("it must not end by itself"),
        () = async { while !written.exists() { tokio::task::yield_now().await } } => {}
    }
    // Its folder goes when nobody can write into it any more.
    while written.exists() {
        tokio::task::yield_now().await;
    }
    let alive = || {
        std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
            std::fs::read_link(process.path().join("cwd"))
                .is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&root))
        })
    };
    while alive() {
        tokio::task::yield_now().await;
    }
    assert!(!lab.files.snapshot().contains_key("x"));
    assert_eq!(lab.ok("node -p 1").await, "1", "the next command gets a folder of its own");
}

#[tokio::test]
async fn nothing_of_the_workers_environment_is_seen() {
    let lab = Lab::with(
        &[("OPENROUTER_API_KEY", "sk-canary"), ("POLARIS_CONVEX_INTERNAL_KEY", "canary-key")],
        30_000,
    );
    let script = "node -e \"const fs = require('fs'); let all = JSON.stringify(process.env); for (const p of fs.readdirSync('/proc')) for (const f of ['environ', 'cmdline']) try { all += fs.readFileSync('/proc/' + p + '/' + f) } catch {} console.log(all.includes('can' + 'ary'))\"";
    assert_eq!(lab.ok(script).await, "false");
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_before_anything_runs() {
    let lab = Lab::new();
    for (command, expected) in [
        ("", "Command blocked: Command cannot be empty".to_owned()),
        ("node 'x", "Command blocked: the quote ' at character 6 is never closed".to_owned()),
        ("rm -rf /", "Command blocked: Command \"rm\" is not in the allowed list. Allowed commands: npm, bun, pnpm, yarn, git, node, tsc, eslint, prettier, test, npx".to_owned()),
        ("npm -v | cat", "Command blocked: a pipe (`|`) is not supported: there is no shell. Run the command alone and read its output.".to_owned()),
        ("eslint .", "Command blocked: eslint is not installed here".to_owned()),
        ("npm install left-pad", "Command blocked: packages cannot be installed here (npm install): no package registry is configured. Use what is installed, or change package.json and let the user install".to_owned()),
        ("node a\0b", "Command blocked: it holds the control character U+0000".to_owned()),
    ] {
        assert_eq!(lab.err(command).await, expected, "{command}");
    }
    for (cwd, expected) in [
        ("nowhere", "Command blocked: cwd \"nowhere\" does not exist in the project"),
        ("sum.js", "Command blocked: cwd \"sum.js\" is a file, not a folder"),
        ("../..", "Command blocked: cwd: the path leaves the project"),
    ] {
        assert_eq!(lab.call("node -v", Some(cwd)).await, Err(expected.to_owned()));
    }
    lab.ok("node -e \"require('fs').symlinkSync('/etc', 'link')\"").await;
    assert_eq!(
        lab.call("node -v", Some("link")).await,
        Err("Command blocked: cwd \"link\" is a link, not a folder".to_owned())
    );
}

#[tokio::test]
async fn installed_tools_work() {
    let lab = Lab::new();
    if !lab.install(&["typescript", "prettier"]).await {
        return;
    }
    assert_eq!(lab.ok("npx tsc --noEmit").await, "Command completed successfully (no output)");
    assert_eq!(lab.ok("tsc --noEmit").await, "Command completed successfully (no output)");
    lab.files
        .write("src/wrong.ts", "export const wrong: number = 'text';\n", &ChangeLine::default())
        .await
        .unwrap();
    assert!(lab.err("npx tsc --noEmit").await.contains("src/wrong.ts(1,14): error TS2322"));
    let text = lab.ok("prettier --write ugly.js").await;
    assert!(text.ends_with("Files changed: A 0, M 1, D 0"), "{text}");
    assert_eq!(lab.files.snapshot()["ugly.js"], "const a = { b: 1 };\n");
}

#[tokio::test]
async fn a_command_that_an_earlier_attempt_began_is_not_run_again() {
    let lab = Lab::new();
    let args = json!({ "command": "node -e \"require('fs').writeFileSync('x', '')\"" });
    match lab.tool.recover(&args, 1.0).await {
        Err(ToolError::Text(text)) => assert!(text.contains("unknown"), "{text}"),
        other => panic!("{other:?}"),
    }
    assert!(!lab.files.snapshot().contains_key("x"));
}

#[tokio::test]
async fn without_a_sandbox_every_command_is_refused_with_the_reason() {
    let lab = Lab::with(&[("POLARIS_SANDBOX_PATH", "/nowhere")], 30_000);
    assert_eq!(
        lab.err("node -v").await,
        "Command blocked: commands cannot be run here, because nothing confines them: POLARIS_SANDBOX_PATH names /nowhere, which is no file"
    );
}
