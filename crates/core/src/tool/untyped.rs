//! What the index answers to the language tools where there is no language server: without types, and
//! saying so in the words of `how`.

use std::collections::HashMap;
use std::sync::Arc;

use super::ToolError;
use super::language::{
    DEFINITION_UNITS, DiagnosticsArgs, MAX_RESULTS, PlaceArgs, REFERENCE_UNITS, at, none_with_severity,
};
use super::project::{code_path, listed};
use crate::code::facts::{Declaration, NO_SYMBOL};
use crate::code::index::Index;
use crate::code::lines::{Lines, Position, trimmed};
use crate::code::links::{self, Place};
use crate::code::resolve::is_bare;
use crate::code::{depth, extract};

pub(super) fn references(
    index: &Index,
    args: &PlaceArgs,
    how: &str,
    max: usize,
) -> Result<String, ToolError> {
    let (path, offset) = at(index, args, "finding references")?;
    let place = links::place_at(index, &path, offset);
    let found = place.as_ref().map(|place| links::references(index, place)).unwrap_or_default();
    if found.is_empty() {
        let PlaceArgs { path, line, column } = args;
        return Ok(format!("No references found at {path}:{line}:{column} ({how})"));
    }
    let mut texts: HashMap<&Arc<str>, Lines<'_>> = HashMap::new();
    let lines = found.iter().take(MAX_RESULTS).filter_map(|reference| {
        let text = &index.get(&reference.path)?.text;
        let lines = texts.entry(&reference.path).or_insert_with(|| Lines::new(text));
        let Position { line, column } = lines.position(reference.span.start as usize);
        let access = if reference.is_write { "write" } else { "read" };
        let shown = trimmed(lines.text(line), REFERENCE_UNITS);
        Some(format!("[{access}] {}:{line}:{column} - {shown}", reference.path))
    });
    let cut =
        if found.len() > MAX_RESULTS { format!(" (showing first {MAX_RESULTS})") } else { String::new() };
    let how = match place {
        Some(Place::Member(_)) => format!("{how}: every member of this name"),
        _ => how.to_owned(),
    };
    let head = format!("Found {} reference(s){cut} ({how}):", found.len());
    Ok(listed(head, lines.collect(), index.project.shortfall().into_iter().collect(), max))
}

/// A definition as it is shown.
struct Defined {
    path: Arc<str>,
    offset: usize,
    kind: &'static str,
    name: String,
}

pub(super) fn definition(
    index: &Index,
    args: &PlaceArgs,
    how: &str,
    max: usize,
) -> Result<String, ToolError> {
    let (path, offset) = at(index, args, "finding definition")?;
    let (defined, why) = defined(index, &path, offset, how);
    if defined.is_empty() {
        let PlaceArgs { path, line, column } = args;
        let why = why.unwrap_or_else(|| how.to_owned());
        return Ok(format!("No definition found at {path}:{line}:{column} ({why})"));
    }
    let shown: Vec<(Position, String, &Defined)> = defined
        .iter()
        .filter_map(|defined| {
            let lines = Lines::new(&index.get(&defined.path)?.text);
            let position = lines.position(defined.offset);
            Some((position, trimmed(lines.text(position.line), DEFINITION_UNITS).to_owned(), defined))
        })
        .collect();
    if let [(Position { line, column }, text, Defined { path, kind, name, .. })] = shown.as_slice() {
        return Ok(format!(
            "Definition found ({how}):\n  {path}:{line}:{column}\n  {kind}: {name}\n  {text}"
        ));
    }
    let lines = shown.iter().map(|(Position { line, column }, text, Defined { path, kind, name, .. })| {
        format!("[{kind}] {name} - {path}:{line}:{column}\n    {text}")
    });
    let head = format!("Found {} definition(s) ({how}):", shown.len());
    Ok(listed(head, lines.collect(), Vec::new(), max))
}

/// The definitions of what stands at a byte, or why there are none.
fn defined(index: &Index, path: &Arc<str>, offset: usize, how: &str) -> (Vec<Defined>, Option<String>) {
    let show = |path: Arc<str>, declared: Declaration| Defined {
        path,
        offset: declared.span.start as usize,
        kind: declared.kind.label(),
        name: declared.name.to_string(),
    };
    let facts = index.code_of(path).map(|code| &code.facts);
    let member = facts.and_then(|facts| facts.member_at(offset).map(|member| (facts, member)));
    if let Some((facts, member)) = member
        && member.of != NO_SYMBOL
        && let Some((path, declared)) = links::member_of(index, path, member.of, member.span.of(&facts.text))
    {
        return (vec![show(path, declared)], None);
    }
    match links::place_at(index, path, offset) {
        None => (Vec::new(), None),
        Some(place @ Place::Symbol(..)) => {
            let found = links::declarations(index, &place);
            (found.into_iter().map(|(path, declared)| show(path, declared)).collect(), None)
        }
        Some(Place::Value(path, span)) => (
            vec![Defined { path, offset: span.start as usize, kind: "property", name: "default".to_owned() }],
            None,
        ),
        Some(Place::Module(path)) => {
            let name = path.to_string();
            (vec![Defined { path, offset: 0, kind: "module", name }], None)
        }
        Some(Place::Outside(source, _)) if is_bare(&source) => {
            (Vec::new(), Some(format!("the package {source:?} is not in the project; {how}")))
        }
        Some(Place::Outside(source, _)) => {
            (Vec::new(), Some(format!("{source:?} leads to no file of the project; {how}")))
        }
        // Without types, only the place of the declaration itself is sure.
        Some(Place::Member(_)) => {
            let here = facts.into_iter().flat_map(|facts| &facts.declarations);
            let here = here.filter(|d| (d.span.start as usize..=d.span.end as usize).contains(&offset));
            (here.map(|declared| show(Arc::clone(path), declared.clone())).collect(), None)
        }
    }
}

pub(super) fn diagnostics(
    index: &Index,
    args: &DiagnosticsArgs,
    how: &str,
    max: usize,
) -> Result<String, ToolError> {
    const DOING: &str = "getting diagnostics";
    let path = code_path(&index.project, DOING, &args.path)?;
    let given = &args.path;
    let file = index.get(&path).ok_or_else(|| ToolError::Text(format!("File not found: {given}")))?;
    if depth::estimate(&file.text) > depth::MAX_DEPTH {
        return Err(ToolError::Text(format!("Error {DOING}: {given} nests too deep to be parsed")));
    }
    let mut errors = extract::errors(&path, &file.text);
    errors.sort_by_key(|error| error.start);
    if errors.is_empty() {
        let none = none_with_severity(given, args.severity.unwrap_or_default());
        return Ok(format!("{none} ({how})"));
    }
    let text = Lines::new(&file.text);
    let lines = errors.iter().take(MAX_RESULTS).map(|error| {
        let Position { line, column } = text.position(error.start as usize);
        let code = error.number.as_ref().map(|number| format!("TS{number}: ")).unwrap_or_default();
        format!("[error] {given}:{line}:{column} - {code}{}", error.message)
    });
    let total = errors.len();
    let cut = if total > MAX_RESULTS { format!(" (showing first {MAX_RESULTS})") } else { String::new() };
    let head = format!("Found {total} diagnostic(s) ({total} errors, 0 warnings, 0 other){cut} ({how}):");
    Ok(listed(head, lines.collect(), Vec::new(), max))
}
