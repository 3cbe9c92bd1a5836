//! What the language server answered, as the language tools show it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::language::{DEFINITION_UNITS, MAX_RESULTS, REFERENCE_UNITS, Severity, none_with_severity};
use super::project::listed;
use crate::code::facts::{Declaration, Facts, Target};
use crate::code::index::{Index, package_of};
use crate::code::lines::{Lines, Position, trimmed};
use crate::code::resolve::is_bare;
use crate::code::server::{At, Diagnostic, Location, Source};
use crate::code::tsconfig::join;

/// TypeScript's numbers for a module, its types or its JSX that cannot be found. 2882 is an import
/// for its effect alone.
const NO_MODULE: [u64; 5] = [2307, 2792, 2875, 2882, 7016];
const NO_JSX: u64 = 7026;
/// Names of Node (`process`, `Buffer`) without its types.
const NO_NODE: [u64; 2] = [2580, 2591];
/// Packages that bring JSX its types.
const WITH_JSX: [&str; 4] = ["react", "preact", "solid-js", "vue"];

/// The place of a byte as the protocol has it.
pub(super) fn at(text: &str, offset: usize) -> At {
    let Position { line, column } = Lines::new(text).position(offset);
    At { line: (line - 1) as u32, character: (column - 1) as u32 }
}

fn position(at: At) -> Position {
    Position { line: at.line as usize + 1, column: at.character as usize + 1 }
}

/// What a diagnostic says of a dependency that is listed but not there; `None`: it is about the code.
fn missing(index: &Index, diagnostic: &Diagnostic) -> Option<String> {
    let code = diagnostic.code?;
    let package = if code == NO_JSX {
        WITH_JSX.into_iter().find(|name| index.lists(name))?.to_owned()
    } else if NO_NODE.contains(&code) {
        Some("@types/node").filter(|name| index.lists(name))?.to_owned()
    } else if NO_MODULE.contains(&code) {
        let specifier = quoted(&diagnostic.message)?;
        let package = package_of(specifier);
        (is_bare(specifier) && index.lists(package)).then(|| package.to_owned())?
    } else {
        return None;
    };
    Some(package)
}

fn quoted(message: &str) -> Option<&str> {
    message.split('\'').nth(1)
}

/// Whether a file that is no code is imported for its effect: it is there, and has no types to find.
fn is_asset(index: &Index, path: &str, diagnostic: &Diagnostic) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    diagnostic.code == Some(2882)
        && quoted(&diagnostic.message)
            .and_then(|specifier| join(folder, specifier))
            .is_some_and(|target| index.project.get(&target).is_some())
}

pub(super) fn diagnostics(
    index: &Index,
    path: &str,
    given: &str,
    severity: Severity,
    found: &[Diagnostic],
    max: usize,
) -> String {
    let mut shown: Vec<(&str, At, String)> = Vec::new();
    let mut absent: BTreeMap<String, ()> = BTreeMap::new();
    for diagnostic in found.iter().filter(|diagnostic| !is_asset(index, path, diagnostic)) {
        let number = diagnostic.code.map(|code| format!("TS{code}: ")).unwrap_or_default();
        let (level, text) = match missing(index, diagnostic) {
            Some(package) => {
                let text = format!("{number}dependency not installed: {package}");
                absent.insert(package, ());
                ("info", text)
            }
            None => {
                let level = match diagnostic.severity {
                    1 => "error",
                    2 => "warning",
                    3 => "info",
                    _ => "hint",
                };
                (level, format!("{number}{}", diagnostic.message))
            }
        };
        let wanted = match severity {
            Severity::All => true,
            Severity::Warning => ["error", "warning"].contains(&level),
            Severity::Error => level == "error",
        };
        if wanted {
            shown.push((level, diagnostic.at, text));
        }
    }
    if shown.is_empty() {
        return none_with_severity(given, severity);
    }
    let count = |wanted: &str| shown.iter().filter(|(level, ..)| *level == wanted).count();
    let (total, errors, warnings) = (shown.len(), count("error"), count("warning"));
    let other = total - errors - warnings;
    let cut = cut(total);
    let head =
        format!("Found {total} diagnostic(s) ({errors} errors, {warnings} warnings, {other} other){cut}:");
    let lines = shown.iter().take(MAX_RESULTS).map(|(level, at, text)| {
        let Position { line, column } = position(*at);
        format!("[{level}] {given}:{line}:{column} - {text}")
    });
    let note = (!absent.is_empty() && errors > 0).then(|| {
        let names = absent.into_keys().collect::<Vec<_>>().join(", ");
        format!("[Not installed: {names}. Errors about their types may follow from that.]")
    });
    listed(head, lines.collect(), note.into_iter().collect(), max)
}

fn cut(total: usize) -> String {
    if total > MAX_RESULTS { format!(" (showing first {MAX_RESULTS})") } else { String::new() }
}

/// Whether a name is declared, imported or changed where it stands.
fn is_write(facts: &Facts, start: u32) -> bool {
    let named = |export: &crate::code::facts::Export| match &export.target {
        Target::From(_, _, span) => span.start == start || export.span.start == start,
        _ => false,
    };
    facts.occurrences.iter().any(|o| o.span.start == start && o.is_write)
        || facts.members.iter().any(|m| m.span.start == start && m.is_write)
        || declared_at(facts, start).is_some()
        || facts.exports.iter().any(named)
        || facts
            .imports
            .iter()
            .flat_map(|import| &import.bindings)
            .any(|binding| binding.imported_span.is_some_and(|span| span.start == start))
}

fn declared_at(facts: &Facts, start: u32) -> Option<&Declaration> {
    facts.declarations.iter().find(|declared| declared.span.start == start)
}

pub(super) fn references(
    index: &Index,
    asked: &Arc<str>,
    found: Vec<Location>,
    max: usize,
) -> Option<String> {
    let mut lines: HashMap<Arc<str>, Lines<'_>> = HashMap::new();
    let mut all: Vec<(bool, Arc<str>, Position, bool)> = Vec::new();
    for location in found {
        // Where a library declares it is no place that a project can change.
        let Source::Project(path) = location.file else { continue };
        let Some(file) = index.get(&path) else { continue };
        let lines = lines.entry(Arc::clone(&path)).or_insert_with(|| Lines::new(&file.text));
        let position = position(location.at);
        let start = lines.offset(position.line as f64, position.column as f64).ok()? as u32;
        let facts = file.code.as_ref().map(|code| &code.facts);
        let writes = facts.is_some_and(|facts| is_write(facts, start));
        let declares = facts.is_some_and(|facts| declared_at(facts, start).is_some());
        all.push((declares, path, position, writes));
    }
    let declaring = all.iter().find(|(declares, path, ..)| *declares && path == asked);
    let declaring = declaring.or_else(|| all.iter().find(|(declares, ..)| *declares));
    let first = declaring.map_or_else(|| Arc::clone(asked), |(_, path, ..)| Arc::clone(path));
    all.sort_by(|a, b| (a.1 != first, &a.1, a.2).cmp(&(b.1 != first, &b.1, b.2)));
    all.dedup_by(|a, b| a.1 == b.1 && a.2 == b.2);
    if all.is_empty() {
        return None;
    }
    let shown = all.iter().take(MAX_RESULTS).map(|(_, path, Position { line, column }, writes)| {
        let access = if *writes { "write" } else { "read" };
        let text = lines.get(path).map(|lines| lines.text(*line)).unwrap_or_default();
        format!("[{access}] {path}:{line}:{column} - {}", trimmed(text, REFERENCE_UNITS))
    });
    let head = format!("Found {} reference(s){}:", all.len(), cut(all.len()));
    Some(listed(head, shown.collect(), index.project.shortfall().into_iter().collect(), max))
}

/// What is defined where; `None` if there is nothing but the import that asks for it.
pub(super) fn definition(index: &Index, found: &[Location], max: usize) -> Option<String> {
    let mut shown = Vec::new();
    for Location { file, at } in found {
        let Position { line, column } = position(*at);
        let (path, kind, name, text) = match file {
            Source::Library { name: path, line: text, what } => {
                let word = || word_at(text, at.character as usize);
                let (kind, name) = what.clone().unwrap_or_else(|| ("declaration".to_owned(), word()));
                (path.clone(), kind, name, text.clone())
            }
            Source::Project(path) => {
                let Some(file) = index.get(path) else { continue };
                let lines = Lines::new(&file.text);
                let text = lines.text(line).to_owned();
                let start = lines.offset(line as f64, column as f64).ok()? as u32;
                let facts = file.code.as_ref().map(|code| &code.facts);
                let declared = facts.and_then(|facts| declared_at(facts, start));
                let (kind, name) = match declared {
                    Some(declared) => (declared.kind.label(), declared.name.to_string()),
                    // An import that leads nowhere is no definition.
                    None if facts.is_some_and(|facts| is_write(facts, start)) => continue,
                    None if (line, column) == (1, 1) => ("module", path.to_string()),
                    None => ("property", word_at(&text, column - 1)),
                };
                (path.to_string(), kind.to_owned(), name, text)
            }
        };
        shown.push((path, line, column, kind, name, trimmed(&text, DEFINITION_UNITS).to_owned()));
    }
    match shown.as_slice() {
        [] => None,
        [(path, line, column, kind, name, text)] => {
            Some(format!("Definition found:\n  {path}:{line}:{column}\n  {kind}: {name}\n  {text}"))
        }
        all => {
            let lines = all.iter().take(MAX_RESULTS).map(|(path, line, column, kind, name, text)| {
                format!("[{kind}] {name} - {path}:{line}:{column}\n    {text}")
            });
            let head = format!("Found {} definition(s){}:", all.len(), cut(all.len()));
            Some(listed(head, lines.collect(), Vec::new(), max))
        }
    }
}

/// The word that begins at a UTF-16 unit of a line.
fn word_at(line: &str, unit: usize) -> String {
    let mut units = 0;
    let rest = line.chars().skip_while(|c| {
        let before = units < unit;
        units += c.len_utf16();
        before
    });
    rest.take_while(|c| c.is_alphanumeric() || ['_', '$', '#'].contains(c)).collect()
}
