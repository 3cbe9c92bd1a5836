//! What people ask for, which must work as whoever runs the worker and at every level.

use polaris_core::workspace::{ChangeLine, ProjectFiles as _};

use super::lab::{Lab, Packages, is_full};

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
async fn a_timeout_is_called_one_and_shows_what_was_printed() {
    let lab = Lab::with(&[], 1_500);
    let text = lab.err("node -e \"console.log('begun'); setInterval(() => 0, 1000)\"").await;
    assert_eq!(
        text,
        "Command timed out after 2 seconds. Consider breaking the operation into smaller steps.\nbegun"
    );
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

/// Scripts name it, whatever `TMPDIR` says. Below level `full` it is everybody's, and closed.
#[tokio::test]
async fn a_command_has_its_own_tmp_at_level_full() {
    let lab = Lab::new();
    let script = "node -e 'const fs=require(`fs`);fs.writeFileSync(`/tmp/polaris-own`,`kept`);console.log(fs.readFileSync(`/tmp/polaris-own`,`utf8`))'";
    if is_full() {
        assert_eq!(lab.ok(script).await, "kept");
        let many = "node -e 'for(let n=0;n<900;n++)require(`fs`).writeFileSync(`/tmp/${n}`,`x`.repeat(9000));console.log(`written`)'";
        assert_eq!(lab.ok(many).await, "written");
        assert!(lab.err("node -p 'require(`fs`).readFileSync(`/tmp/polaris-own`)'").await.contains("ENOENT"));
    } else {
        assert!(lab.err(script).await.contains("EACCES"));
    }
    assert!(!std::path::Path::new("/tmp/polaris-own").exists());
}

#[tokio::test]
async fn installed_tools_work() {
    let lab = Lab::new();
    let packages = Packages::Own(&["typescript", "prettier"]);
    let programs = [("tsc", "../typescript/bin/tsc"), ("prettier", "../prettier/bin/prettier.cjs")];
    if !lab.install(&packages, &programs).await {
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
async fn linters_and_test_runners_work() {
    let lab = Lab::new();
    let programs = [("eslint", "../eslint/bin/eslint.js"), ("vitest", "../vitest/vitest.mjs")];
    if !lab.install(&Packages::Tools, &programs).await {
        return;
    }
    lab.files
        .write(
            "eslint.config.js",
            "module.exports = [{ rules: { 'no-unused-vars': 'error', 'prefer-const': 'error' } }];\n",
            &ChangeLine::default(),
        )
        .await
        .unwrap();
    assert!(lab.ok("eslint sum.js").await.starts_with("Command completed successfully (no output)"));
    let text = lab.err("npx eslint ugly.js").await;
    assert!(text.contains("'a' is assigned a value but never used"), "{text}");
    lab.files.write("src/let.js", "let a = 1;\nmodule.exports = a;\n", &ChangeLine::default()).await.unwrap();
    let text = lab.ok("eslint --fix src/let.js").await;
    assert!(text.ends_with("Files changed: A 0, M 1, D 0"), "{text}");
    assert_eq!(lab.files.snapshot()["src/let.js"], "const a = 1;\nmodule.exports = a;\n");
    let test = "import { expect, test } from 'vitest';\nimport { answer } from './index';\ntest('the answer', () => expect(answer).toBe(42));\n";
    lab.files.write("src/answer.test.ts", test, &ChangeLine::default()).await.unwrap();
    let text = lab.ok("npx vitest run src").await;
    assert!(text.contains("1 passed"), "{text}");
    lab.files.write("src/answer.test.ts", &test.replace("42", "41"), &ChangeLine::default()).await.unwrap();
    let text = lab.err("npx vitest run src").await;
    assert!(text.contains("expected 42 to be 41"), "{text}");
}
