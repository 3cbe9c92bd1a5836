//! Packages that a project uses and does not list.

use std::collections::HashSet;

use serde_json::Value;

use super::{Problem, ProblemKind, Report, is_own, is_path};
use crate::code::facts::ImportKind;
use crate::code::index::{Code, Index, package_of};
use crate::code::lines::Lines;
use crate::code::tsconfig;

/// Node's own modules (<https://nodejs.org/api>), without the prefix `node:`.
const BUILTINS: [&str; 41] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
];

/// Commands whose package has another name.
const COMMANDS: [(&str, &str); 6] = [
    ("tsc", "typescript"),
    ("vite", "vite"),
    ("vitest", "vitest"),
    ("eslint", "eslint"),
    ("prettier", "prettier"),
    ("next", "next"),
];

/// What the project's package.json files list, and what else may be used.
pub(super) struct Packages {
    /// There is at least one that can be read, and none that cannot.
    is_known: bool,
    own: HashSet<String>,
    /// Modules that the project declares itself.
    declared: String,
}

impl Packages {
    pub(super) fn of(index: &Index) -> Self {
        let (mut own, mut declared) = (HashSet::new(), String::new());
        let (mut found, mut broken) = (false, false);
        for (path, file) in index.files().filter(|(path, _)| is_own(path)) {
            if is_package_json(path) {
                match tsconfig::parse(&file.text) {
                    Some(config) if config.is_object() => {
                        found = true;
                        own.extend(config["name"].as_str().map(str::to_owned));
                    }
                    _ => broken = true,
                }
            } else if path.ends_with(".d.ts") {
                declared.push_str(&file.text);
            }
        }
        Self { is_known: found && !broken, own, declared }
    }

    pub(super) fn check(&self, index: &Index, code: &Code, report: &mut Report<'_>) {
        if !self.is_known {
            return;
        }
        for (import, target) in code.facts.imports.iter().zip(&code.targets) {
            let source = &*import.source;
            // A call may build its specifier, and a type of a package may come from elsewhere.
            let certain = matches!(import.kind, ImportKind::Import | ImportKind::ReExport)
                || !source.contains(['$', '{', ' ']);
            if target.is_some() || is_path(source) || !certain || self.may_use(index, source) {
                continue;
            }
            let message = format!("the package \"{}\" is not in package.json", package_of(source));
            report.at(ProblemKind::Package, import.source_span, message);
        }
    }

    fn may_use(&self, index: &Index, source: &str) -> bool {
        let package = package_of(source);
        // `node:fs`, `bun:test`, `virtual:pwa`, `https://…`, `#internal`
        source.contains(':')
            || source.starts_with('#')
            || source.is_empty()
            || BUILTINS.contains(&package)
            || self.own.contains(package)
            || index.lists(source)
            || index.lists(&format!("@types/{}", package.trim_start_matches('@').replace('/', "__")))
            || ['"', '\'']
                .iter()
                .any(|quote| self.declared.contains(&format!("module {quote}{source}{quote}")))
    }

    /// Commands in scripts that no listed package brings.
    pub(super) fn check_scripts(&self, index: &Index, problems: &mut Vec<Problem>) {
        if !self.is_known {
            return;
        }
        for (path, file) in index.files().filter(|(path, _)| is_own(path) && is_package_json(path)) {
            let config = tsconfig::parse(&file.text).unwrap_or_default();
            for script in config["scripts"].as_object().into_iter().flatten().map(|(_, script)| script) {
                for package in commands(script).filter(|package| !index.lists(package)) {
                    let at = file.text.find("\"scripts\"").unwrap_or_default();
                    let line = u32::try_from(Lines::new(&file.text).line_at(at)).unwrap_or(u32::MAX);
                    let message = format!("a script runs \"{package}\", which is not in package.json");
                    let kind = ProblemKind::Package;
                    problems.push(Problem { path: path.to_string(), line, kind, message });
                }
            }
        }
    }
}

fn is_package_json(path: &str) -> bool {
    path == "package.json" || path.ends_with("/package.json")
}

/// The packages whose commands a script begins with.
fn commands(script: &Value) -> impl Iterator<Item = &'static str> + '_ {
    let parts = script.as_str().unwrap_or_default().split(['&', '|', ';']);
    parts.filter_map(|part| {
        let first = part.split_whitespace().find(|word| !word.contains('='))?;
        COMMANDS.iter().find(|(command, _)| *command == first).map(|(_, package)| *package)
    })
}
