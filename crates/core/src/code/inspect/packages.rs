//! Packages that a project uses and does not list.

use std::collections::HashSet;

use serde_json::Value;

use super::{Problem, ProblemKind, Report, is_own, is_path};
use crate::code::facts::{Import, ImportKind};
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
pub(crate) struct Packages {
    /// There is at least one that can be read, and none that cannot.
    is_known: bool,
    own: HashSet<String>,
    /// Modules that the project declares itself.
    declared: String,
}

impl Packages {
    pub(crate) fn of(index: &Index) -> Self {
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

    /// The imports of packages that are not listed, with the package.
    pub(crate) fn missing<'c>(
        &self,
        index: &Index,
        code: &'c Code,
    ) -> impl Iterator<Item = (&'c Import, &'c str)> {
        let imports = code.facts.imports.iter().zip(&code.targets).filter(|_| self.is_known);
        imports.filter_map(move |(import, target)| {
            let source = &*import.source;
            // A call may build its specifier, and a type of a package may come from elsewhere.
            let certain = matches!(import.kind, ImportKind::Import | ImportKind::ReExport)
                || !source.contains(['$', '{', ' ']);
            let is_missing = target.is_none() && !is_path(source) && certain && !self.may_use(index, source);
            is_missing.then(|| (import, package_of(source)))
        })
    }

    pub(super) fn check(&self, index: &Index, code: &Code, report: &mut Report<'_>) {
        for (import, package) in self.missing(index, code) {
            let message = format!("the package \"{package}\" is not in package.json");
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

    /// The packages of commands that the scripts of a package.json run and nothing lists.
    pub(crate) fn missing_commands(&self, index: &Index, manifest: &str) -> Vec<&'static str> {
        if !self.is_known {
            return Vec::new();
        }
        let config = tsconfig::parse(manifest).unwrap_or_default();
        let scripts = config["scripts"].as_object().into_iter().flatten();
        scripts.flat_map(|(_, script)| commands(script)).filter(|package| !index.lists(package)).collect()
    }

    pub(super) fn check_scripts(&self, index: &Index, problems: &mut Vec<Problem>) {
        for (path, file) in index.files().filter(|(path, _)| is_own(path) && is_package_json(path)) {
            for package in self.missing_commands(index, &file.text) {
                let at = file.text.find("\"scripts\"").unwrap_or_default();
                let line = u32::try_from(Lines::new(&file.text).line_at(at)).unwrap_or(u32::MAX);
                let message = format!("a script runs \"{package}\", which is not in package.json");
                let (path, kind) = (path.to_string(), ProblemKind::Package);
                problems.push(Problem { path, line, kind, message, related: None });
            }
        }
    }
}

pub(crate) fn is_package_json(path: &str) -> bool {
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
