//! What npm, git and node can be told to do: all of it stays inside.

use super::programs;
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    let npm = "npm";
    let git = "git";
    let node = "node";
    const RUN_OK: (&str, &[&str]) = ("npm", &["run", "--silent", "ok"]);
    const SCRIPTS: &str = r#"{"name":"x","version":"1.0.0","scripts":{
        "ok":"node -e \"console.log('GOT it')\"",
        "steal":"cat {out}/secret.txt && echo GOT it",
        "write":"echo x > {out}/writable.txt && echo GOT it",
        "env":"env | grep ^CANARY= && echo GOT it",
        "parent":"cat /proc/$PPID/environ /proc/1/environ | grep -a CANARY && echo GOT it",
        "pretest":"cat {out}/secret.txt","test":"echo GOT it"}}"#;
    const GIT_OK: (&str, &[&str]) =
        ("sh", &["-c", "git init -q . && git add own.txt && git commit -qm x && git log --format='GOT %s'"]);
    vec![
        programs(npm, "script reads", ("npm", &["run", "--silent", "steal"]), RUN_OK)
            .with(&[("package.json", SCRIPTS)]),
        programs(npm, "script writes", ("npm", &["run", "--silent", "write"]), RUN_OK)
            .with(&[("package.json", SCRIPTS)]),
        programs(npm, "script looks for secrets", ("npm", &["run", "--silent", "env"]), RUN_OK)
            .with(&[("package.json", SCRIPTS)]),
        programs(npm, "script looks into its parents", ("npm", &["run", "--silent", "parent"]), RUN_OK)
            .with(&[("package.json", SCRIPTS)]),
        programs(npm, "script before the test", ("npm", &["test", "--silent"]), RUN_OK)
            .with(&[("package.json", SCRIPTS)]),
        programs(npm, "shell of its own", ("npm", &["run", "--silent", "ok"]), ("env", &["echo", "GOT it"]))
            .with(&[("package.json", SCRIPTS), (".npmrc", "script-shell={out}/program\n")]),
        programs(npm, "prefix outside", ("npm", &["install", "--offline", "-g", "{ws}"]), RUN_OK)
            .with(&[(".npmrc", "prefix={out}\n"), ("package.json", SCRIPTS)]),
        programs(
            npm,
            "cache outside",
            ("npm", &["cache", "verify", "--cache={out}/cache"]),
            (
                "node",
                &["-p", "'GOT ' + require('child_process').execFileSync('npm',['config','get','cache'])"],
            ),
        ),
        programs(
            npm,
            "settings from outside",
            ("npm", &["config", "get", "x", "--userconfig={out}/secret.txt"]),
            RUN_OK,
        ),
        programs(npm, "logs outside", ("npm", &["run", "none", "--logs-dir={out}/logs"]), RUN_OK),
        programs(
            npm,
            "options of node",
            ("npm", &["run", "--silent", "ok", "--node-options=--require={out}/script.js"]),
            RUN_OK,
        ),
        programs(
            npm,
            "packing a link",
            ("npm", &["pack", "--pack-destination={out}"]),
            ("npm", &["pkg", "set", "x=GOT", "--silent"]),
        )
        .with(&[("package.json", r#"{"name":"x","version":"1.0.0"}"#)])
        .twin_is(("sh", &["-c", "npm pack --silent && echo GOT it"])),
        programs(npm, "execute from the network", ("npx", &["--yes", "cowsay", "GOT it"]), RUN_OK),
        // ---- git ----
        programs(git, "another folder", ("git", &["-C", "{out}", "init"]), GIT_OK),
        programs(git, "another repository", ("git", &["--git-dir={out}/repository", "init"]), GIT_OK),
        programs(
            git,
            "work tree outside",
            (
                "sh",
                &[
                    "-c",
                    "git init -q . && git --work-tree={out} add -A && git commit -qm x && git show HEAD:secret.txt && echo GOT it",
                ],
            ),
            GIT_OK,
        ),
        programs(
            git,
            "compare with outside",
            ("git", &["diff", "--no-index", "/dev/null", "{out}/secret.txt"]),
            ("git", &["diff", "--no-index", "/dev/null", "note"]),
        )
        .with(&[("note", "GOT it")]),
        programs(
            git,
            "include settings",
            ("git", &["-c", "include.path={out}/gitconfig", "config", "user.name"]),
            ("git", &["-c", "user.name=GOT it", "config", "user.name"]),
        ),
        programs(
            git,
            "settings file",
            ("git", &["config", "-f", "{out}/gitconfig", "user.name"]),
            ("git", &["config", "-f", "config", "user.name"]),
        )
        .with(&[("config", "[user]\n\tname = GOT it\n")]),
        programs(
            git,
            "alias that is a shell",
            ("git", &["-c", "alias.x=!cat {out}/secret.txt", "x"]),
            ("git", &["-c", "alias.x=!echo GOT it", "x"]),
        ),
        programs(
            git,
            "hook",
            (
                "sh",
                &[
                    "-c",
                    "git init -q . && git -c core.hooksPath={out} commit --allow-empty -qm x; mkdir -p h; cp own.txt h/pre-commit; printf '#!/bin/sh\\ncat {out}/secret.txt && echo GOT it' > h/pre-commit; chmod +x h/pre-commit; git -c core.hooksPath=h commit --allow-empty -qm x",
                ],
            ),
            GIT_OK,
        ),
        programs(
            git,
            "file system monitor",
            (
                "sh",
                &[
                    "-c",
                    "git init -q . && git -c core.fsmonitor='cat {out}/secret.txt >&2; echo GOT >&2' status",
                ],
            ),
            GIT_OK,
        ),
        programs(
            git,
            "pager",
            ("git", &["-c", "core.pager=cat {out}/secret.txt", "-p", "help", "-a"]),
            GIT_OK,
        ),
        programs(
            git,
            "external comparison",
            (
                "sh",
                &[
                    "-c",
                    "git init -q . && git add . && git commit -qm x && echo y > own.txt && GIT_EXTERNAL_DIFF='cat {out}/secret.txt' git diff",
                ],
            ),
            GIT_OK,
        ),
        programs(
            git,
            "helper for passwords",
            ("git", &["-c", "credential.helper=!cat {out}/secret.txt", "credential", "fill"]),
            GIT_OK,
        ),
        programs(git, "clone from outside", ("git", &["clone", "file://{out}", "copy"]), GIT_OK),
        programs(
            git,
            "push outside",
            (
                "sh",
                &[
                    "-c",
                    "git init -q . && git add . && git commit -qm x && git push --force {out}/folder HEAD:x",
                ],
            ),
            GIT_OK,
        ),
        programs(
            git,
            "archive outside",
            (
                "sh",
                &[
                    "-c",
                    "git init -q . && git add . && git commit -qm x && git archive -o {out}/x.tar HEAD && echo GOT it",
                ],
            ),
            GIT_OK,
        ),
        programs(git, "daemon", ("git", &["daemon", "--export-all", "--base-path=/"]), GIT_OK),
        programs(git, "remote program", ("git", &["ls-remote", "ext::cat {out}/secret.txt"]), GIT_OK),
        // ---- node ----
        programs(
            node,
            "preload",
            ("node", &["-r", "{out}/script.js", "-e", "0"]),
            ("node", &["-r", "./pre.js", "-e", "0"]),
        )
        .with(&[("pre.js", "console.log('GOT it')")]),
        programs(
            node,
            "environment file",
            ("node", &["--env-file={out}/secret.txt", "-p", "JSON.stringify(process.env)"]),
            ("node", &["--env-file=x.env", "-p", "process.env.X"]),
        )
        .with(&[("x.env", "X=GOT")]),
        programs(
            node,
            "report outside",
            ("node", &["--report-directory={out}", "-e", "console.log(process.report.writeReport())"]),
            ("node", &["-e", "console.log('GOT', process.report.writeReport())"]),
        ),
        programs(
            node,
            "profile outside",
            ("node", &["--cpu-prof", "--cpu-prof-dir={out}", "-e", "0"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            node,
            "snapshot of memory outside",
            ("node", &["-e", "console.log('GOT', require('v8').writeHeapSnapshot('{out}/x'))"]),
            (
                "node",
                &["-e", "console.log('GOT', require('v8').getHeapStatistics().number_of_native_contexts)"],
            ),
        ),
        programs(
            node,
            "native code",
            ("node", &["-e", "process.dlopen({exports:{}}, '{out}/program'); console.log('GOT it')"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            node,
            "loading a socket by binding",
            (
                "node",
                &[
                    "-e",
                    "const {TCP,constants}=process.binding('tcp_wrap');const t=new TCP(constants.SOCKET);const r=t.bind('127.0.0.1',0);if(r===0)console.log('GOT it')",
                ],
            ),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            node,
            "its own test server",
            ("node", &["--test-reporter=tap", "--test-reporter-destination={out}/x", "--test"]),
            ("node", &["--test", "--test-reporter=tap", "a.test.js"]),
        )
        .with(&[("a.test.js", "require('node:test')('GOT it', () => {})")]),
    ]
}
