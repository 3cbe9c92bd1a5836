//! executeCommand as the model meets it: the real helper, a real small project, real programs.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod lab;
mod packages;
mod variants;
mod works;

use std::path::Path;

use lab::{FILES, Lab};
use polaris_core::event::OutputStream;
use polaris_core::tool::{Tool, ToolError};
use serde_json::json;

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
async fn output_is_heard_while_the_command_runs() {
    let lab = Lab::new();
    let root = lab.root().await;
    // Ends only after what it has printed was heard.
    let args = json!({ "command": "node -e \"const fs = require('fs'); console.log('\\x1b[32mbegun\\x1b[0m'); console.error('careful'); setInterval(() => fs.existsSync('go') && process.exit(0), 5)\"" });
    let heard = std::sync::Mutex::new(Vec::new());
    let printed = |stream, text: &str| {
        let mut heard = heard.lock().unwrap();
        heard.push((stream, text.to_owned()));
        if heard.len() == 2 {
            std::fs::write(root.join("go"), "").unwrap();
        }
    };
    let text = match lab.tool.call_aloud(&args, 1.0, &printed).await {
        Ok(text) => text,
        other => panic!("{other:?}"),
    };
    assert!(text.starts_with("begun\n\n--- stderr ---\ncareful"), "{text}");
    let mut heard = heard.lock().unwrap().clone();
    heard.sort_by_key(|(stream, _)| *stream as usize);
    let expected = [(OutputStream::Stdout, "begun\n"), (OutputStream::Stderr, "careful\n")];
    assert_eq!(heard, expected.map(|(stream, text)| (stream, text.to_owned())));
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
    assert_eq!(
        lab.err(&format!("node -p 1 {}", "x ".repeat(10_000))).await,
        "Command blocked: it has more than 4096 arguments. Use fewer, or a file that lists them"
    );
    assert_eq!(
        lab.err(&format!("node -p 1 {}", "x".repeat(1 << 20))).await,
        "Command blocked: an argument has 1048576 bytes; at most 131071 are possible. Write long input to a file"
    );
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
