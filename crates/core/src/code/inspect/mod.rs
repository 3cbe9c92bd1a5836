//! What is wrong with a project, as far as that can be said without a model and without installing
//! anything: parse errors, imports and exports that lead nowhere, packages that are not listed, JSON
//! that is none, an entry point that is not reached. Pure: reads an index, changes nothing. Says
//! nothing where it is not sure.

pub(super) mod entry;
pub(super) mod packages;

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use ts_rs::TS;

use super::facts::{Facts, Import, Imported, NO_SYMBOL, Span, Target};
use super::index::{Code, Index, is_code};
use super::lines::Lines;
use super::links::exported;
use super::resolve::is_bare;
use super::{depth, extract, tsconfig};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// A file of code does not parse.
    Syntax,
    /// An import resolves to nothing.
    Import,
    /// A name is imported that its file does not export.
    Export,
    /// A package is used and not listed in package.json.
    Package,
    /// A JSON file is no JSON.
    Json,
    /// An entry point is missing or not reached.
    Entry,
}

/// Something that is wrong with a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
pub struct Problem {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub kind: ProblemKind,
    /// In one line.
    pub message: String,
    /// The other file of the project that it is about: the one that lacks an export.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub related: Option<String>,
}

/// Paths that are not the project's own work.
const FOREIGN: [&str; 3] = ["node_modules", "dist", ".git"];

/// Everything that is wrong, by file and line.
pub fn inspect(index: &Index) -> Vec<Problem> {
    let mut problems = Vec::new();
    let packages = packages::Packages::of(index);
    for (path, file) in index.files() {
        if path.split('/').any(|name| FOREIGN.contains(&name)) {
            continue;
        }
        let mut report = Report { path, text: &file.text, lines: None, problems: &mut problems };
        match &file.code {
            Some(code) if syntax(&mut report) => {
                imports(index, code, &mut report);
                packages.check(index, code, &mut report);
            }
            None if path.ends_with(".json") => json(path, &mut report),
            _ => {}
        }
    }
    packages.check_scripts(index, &mut problems);
    entry::check(index, &mut problems);
    problems.sort();
    problems.dedup();
    problems
}

/// Problems of one file.
struct Report<'a> {
    path: &'a Arc<str>,
    text: &'a str,
    lines: Option<Lines<'a>>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Report<'a> {
    fn add(&mut self, kind: ProblemKind, offset: usize, message: String) {
        let text = self.text;
        let line = self.lines.get_or_insert_with(|| Lines::new(text)).line_at(offset);
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.problems.push(Problem { path: self.path.to_string(), line, kind, message, related: None });
    }

    fn at(&mut self, kind: ProblemKind, span: Span, message: String) {
        self.add(kind, span.start as usize, message);
    }

    fn relate(&mut self, kind: ProblemKind, span: Span, message: String, related: &str) {
        self.at(kind, span, message);
        if let Some(problem) = self.problems.last_mut() {
            problem.related = Some(related.to_owned());
        }
    }
}

/// Whether the file parses. What a broken file says of others is not to be relied on.
fn syntax(report: &mut Report<'_>) -> bool {
    if depth::estimate(report.text) > depth::MAX_DEPTH {
        return false;
    }
    let errors = extract::errors(report.path, report.text);
    // The others often follow from the first.
    if let Some(first) = errors.first() {
        report.add(
            ProblemKind::Syntax,
            first.start as usize,
            format!("it does not parse: {}", first.message),
        );
    }
    errors.is_empty()
}

fn imports(index: &Index, code: &Code, report: &mut Report<'_>) {
    for (number, (import, target)) in code.facts.imports.iter().zip(&code.targets).enumerate() {
        let Some(target) = target else {
            if leads_nowhere(import, None) {
                let message = format!("\"{}\" leads to no file", import.source);
                report.at(ProblemKind::Import, import.source_span, message);
            }
            continue;
        };
        if !is_known(index, target) {
            continue;
        }
        let mut lacks = |span: Span, name: &str| {
            let message = format!("{target} does not export {}", shown(name));
            report.relate(ProblemKind::Export, span, message, target);
        };
        for binding in &import.bindings {
            match &binding.imported {
                Imported::Name(name) if !exports(index, target, name) => {
                    lacks(binding.imported_span.unwrap_or(import.source_span), name);
                }
                Imported::Namespace if binding.symbol != NO_SYMBOL => {
                    for member in code.facts.members.iter().filter(|member| member.of == binding.symbol) {
                        let name = member.span.of(&code.facts.text);
                        if !exports(index, target, name) {
                            lacks(member.span, name);
                        }
                    }
                }
                _ => {}
            }
        }
        for export in &code.facts.exports {
            if let Target::From(from, name, span) = &export.target
                && *from == number
                && !exports(index, target, name)
            {
                lacks(*span, name);
            }
        }
    }
}

fn shown(name: &str) -> String {
    if name == "default" { "a default".to_owned() } else { format!("\"{name}\"") }
}

/// Whether an import that leads to `target` should have led to a file of the project.
pub(super) fn leads_nowhere(import: &Import, target: Option<&Arc<str>>) -> bool {
    target.is_none() && is_path(&import.source)
}

/// Whether a specifier names a file by its path, also by the usual aliases.
pub(super) fn is_path(specifier: &str) -> bool {
    (!is_bare(specifier) || specifier.starts_with("@/") || specifier.starts_with("~/"))
        && !specifier.contains('*')
}

/// Whether all that a file exports can be known: it is code, parses, and is a module of ECMAScript.
pub(super) fn is_known(index: &Index, path: &str) -> bool {
    let Some(code) = index.code_of(path) else { return false };
    if code.facts.is_broken || path.ends_with(".cjs") || path.ends_with(".cts") {
        return false;
    }
    let facts: &Facts = &code.facts;
    // Scripts say what they give in other ways.
    let is_typed = path.ends_with(".ts") || path.ends_with(".tsx");
    !facts.exports.is_empty() || (is_typed && !facts.text.contains("module.exports"))
}

pub(super) fn exports(index: &Index, path: &Arc<str>, name: &str) -> bool {
    exported(index, path, name, &mut HashSet::new()).is_some() || gives_all(index, path, &mut HashSet::new())
}

/// Whether a file passes on names that cannot be known, such as those of a package or a broken file.
fn gives_all<'i>(index: &'i Index, path: &'i Arc<str>, seen: &mut HashSet<&'i str>) -> bool {
    if !seen.insert(path) {
        return false;
    }
    let Some(code) = index.code_of(path) else { return true };
    if code.facts.is_broken {
        return true;
    }
    code.facts.exports.iter().any(|export| match export.target {
        Target::All(import) => match code.targets.get(import) {
            Some(Some(target)) => gives_all(index, target, seen),
            _ => true,
        },
        // `export =` gives the members of what it stands for.
        _ => &*export.name == "export=",
    })
}

/// Configurations that may hold comments: TypeScript's and editors' own.
fn may_hold_comments(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    (name.starts_with("tsconfig") || name.starts_with("jsconfig") || name.starts_with('.'))
        || path.split('/').any(|folder| folder == ".vscode")
}

/// Why a file of JSON is none; `None` if it is.
pub(super) fn json_error(path: &str, text: &str) -> Option<serde_json::Error> {
    let text = text.trim_start_matches('\u{feff}');
    let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
    (!may_hold_comments(path) || tsconfig::parse(text).is_none()).then_some(error)
}

fn json(path: &str, report: &mut Report<'_>) {
    let Some(error) = json_error(path, report.text) else { return };
    let why = error.to_string();
    let why = why.split(" at line ").next().unwrap_or_default();
    let offset = Lines::new(report.text).start(error.line());
    report.add(ProblemKind::Json, offset, format!("it is not JSON: {why}"));
}

/// Whether a path is part of what is looked at.
pub(super) fn is_own(path: &str) -> bool {
    !path.split('/').any(|name| FOREIGN.contains(&name))
}

/// The files that are reached from `from` through imports.
fn reached<'i>(index: &'i Index, from: &'i Arc<str>) -> HashSet<&'i Arc<str>> {
    let mut seen = HashSet::from([from]);
    let mut open = vec![from];
    while let Some(path) = open.pop() {
        let targets = index.code_of(path).map_or(&[][..], |code| &code.targets);
        for target in targets.iter().flatten() {
            if is_code(target) && seen.insert(target) {
                open.push(target);
            }
        }
    }
    seen
}
