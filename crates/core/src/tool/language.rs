//! findSymbol, getReferences, getDiagnostics, goToDefinition. TypeScript's language server answers the
//! last three; where it cannot, the index does, and the answer says what it does not know.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::project::{Deadline, Looking, code_path, failed, listed, spec, timed_out};
use super::{Access, Tool, ToolError, parse_args, typed};
use crate::code::facts::{Declaration, NO_SYMBOL};
use crate::code::index::Index;
use crate::code::lines::{Lines, Position, trimmed};
use crate::code::links::{self, Place};
use crate::code::resolve::is_bare;
use crate::code::server::{Answer, At, LanguageServer, Location, Question, Silence};
use crate::code::{depth, extract};
use crate::model::ToolSpec;

const TIME: Duration = Duration::from_secs(10);
/// Symbols, references and diagnostics that are shown.
pub(super) const MAX_RESULTS: usize = 50;
/// UTF-16 units of a line that a reference shows, and a definition.
pub(super) const REFERENCE_UNITS: usize = 80;
pub(super) const DEFINITION_UNITS: usize = 100;
/// What an answer from the index says of itself.
const WITHOUT_TYPES: &str = "without type information";
const SYNTAX_ONLY: &str = "syntax only: type checker unavailable";

/// The four language tools, in the order in which they are offered.
#[derive(Debug, Clone, Copy)]
pub(super) enum LanguageTool {
    FindSymbol,
    References,
    Diagnostics,
    Definition,
}

impl LanguageTool {
    pub(super) const ALL: [Self; 4] =
        [Self::FindSymbol, Self::References, Self::Diagnostics, Self::Definition];
}

pub(super) struct Bound {
    pub tool: LanguageTool,
    pub looking: Looking,
    pub server: Arc<LanguageServer>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SymbolKind {
    Function,
    Class,
    Variable,
    Interface,
    Type,
    #[default]
    All,
}

impl SymbolKind {
    fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Variable => "variable",
            Self::Interface => "interface",
            Self::Type => "type",
            Self::All => "all",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SymbolArgs {
    query: String,
    #[serde(default)]
    kind: Option<SymbolKind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceArgs {
    path: String,
    line: f64,
    column: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Error,
    Warning,
    #[default]
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DiagnosticsArgs {
    path: String,
    #[serde(default)]
    severity: Option<Severity>,
}

impl Tool for Bound {
    fn spec(&self) -> ToolSpec {
        let place = || {
            json!({
                "path": { "type": "string", "description": "Path of the file, relative to the project root" },
                "line": { "type": "number", "description": "Line of the symbol, from 1" },
                "column": { "type": "number", "description": "Column of the symbol, from 1" },
            })
        };
        match self.tool {
            LanguageTool::FindSymbol => spec(
                "findSymbol",
                "Find where functions, classes, variables, interfaces and types are declared, by a part of their name. Gives kind, path, line and column.",
                json!({
                    "query": { "type": "string", "description": "Part of the symbol's name, in any case" },
                    "kind": {
                        "type": "string",
                        "enum": ["function", "class", "variable", "interface", "type", "all"],
                        "description": "Only symbols of this kind (enums are types). Default: all",
                    },
                }),
                &["query"],
            ),
            LanguageTool::References => spec(
                "getReferences",
                "Find all references to the symbol at a position, in all files: declarations, imports, reads and writes.",
                place(),
                &["path", "line", "column"],
            ),
            LanguageTool::Diagnostics => spec(
                "getDiagnostics",
                "Get the errors, warnings and suggestions for a TypeScript or JavaScript file.",
                json!({
                    "path": { "type": "string", "description": "Path of the file, relative to the project root" },
                    "severity": {
                        "type": "string",
                        "enum": ["error", "warning", "all"],
                        "description": "The least severe to show; warning shows errors too. Default: all",
                    },
                }),
                &["path"],
            ),
            LanguageTool::Definition => spec(
                "goToDefinition",
                "Find where the symbol at a position is defined, through imports and re-exports.",
                place(),
                &["path", "line", "column"],
            ),
        }
    }

    fn access(&self, _args: &Value) -> Access {
        Access::Read(String::new())
    }

    fn call<'a>(&'a self, args: &'a Value, _at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        let max = self.looking.max_result_bytes;
        async move {
            match self.tool {
                LanguageTool::FindSymbol => {
                    let args: SymbolArgs = parse_args("findSymbol", args)?;
                    let look =
                        move |index: &Index, deadline: &Deadline<'_>| find(index, &args, deadline, max);
                    self.looking.look("searching symbols", TIME, look).await
                }
                LanguageTool::References => self.references(parse_args("getReferences", args)?).await,
                LanguageTool::Diagnostics => self.diagnostics(parse_args("getDiagnostics", args)?).await,
                LanguageTool::Definition => self.definition(parse_args("goToDefinition", args)?).await,
            }
        }
        .boxed()
    }
}

impl Bound {
    async fn index(&self, doing: &str) -> Result<Arc<Index>, ToolError> {
        self.looking.indexer.current().await.map_err(|error| failed(doing, error))
    }

    async fn diagnostics(&self, args: DiagnosticsArgs) -> Result<String, ToolError> {
        const DOING: &str = "getting diagnostics";
        let max = self.looking.max_result_bytes;
        let index = self.index(DOING).await?;
        let path = code_path(&index.project, DOING, &args.path)?;
        let why = match self.server.ask(&index, &path, Question::Diagnostics).await {
            Ok(Answer::Diagnostics(found)) => {
                let severity = args.severity.unwrap_or_default();
                return Ok(typed::diagnostics(&index, &path, &args.path, severity, &found, max));
            }
            Ok(Answer::Locations(_)) => Silence::Failed,
            Err(why) => why,
        };
        let how = because(SYNTAX_ONLY, &why);
        let look = move |index: &Index, _: &Deadline<'_>| diagnostics(index, &args, &how, max);
        self.looking.look(DOING, TIME, look).await?
    }

    async fn references(&self, args: PlaceArgs) -> Result<String, ToolError> {
        const DOING: &str = "finding references";
        let max = self.looking.max_result_bytes;
        let index = self.index(DOING).await?;
        let (path, offset) = at(&index, &args, DOING)?;
        let mut how = WITHOUT_TYPES.to_owned();
        match self.located(&index, &path, offset, Question::References).await {
            Ok(found) => {
                if let Some(text) = typed::references(&index, &path, found, max) {
                    return Ok(text);
                }
            }
            Err(why) => how = because(WITHOUT_TYPES, &why),
        }
        let look = move |index: &Index, _: &Deadline<'_>| references(index, &args, &how, max);
        self.looking.look(DOING, TIME, look).await?
    }

    async fn definition(&self, args: PlaceArgs) -> Result<String, ToolError> {
        const DOING: &str = "finding definition";
        let max = self.looking.max_result_bytes;
        let index = self.index(DOING).await?;
        let (path, offset) = at(&index, &args, DOING)?;
        let mut how = WITHOUT_TYPES.to_owned();
        match self.located(&index, &path, offset, Question::Definition).await {
            Ok(found) => {
                if let Some(text) = typed::definition(&index, &found, max) {
                    return Ok(text);
                }
            }
            Err(why) => how = because(WITHOUT_TYPES, &why),
        }
        let look = move |index: &Index, _: &Deadline<'_>| definition(index, &args, &how, max);
        self.looking.look(DOING, TIME, look).await?
    }

    /// What the server says of the name at a byte. On `export` the exported declaration is meant.
    async fn located(
        &self,
        index: &Arc<Index>,
        path: &Arc<str>,
        offset: usize,
        question: fn(At) -> Question,
    ) -> Result<Vec<Location>, Silence> {
        let Some(code) = index.code_of(path) else { return Err(Silence::Failed) };
        let offset = links::exported_at(&code.facts, offset).unwrap_or(offset);
        let question = question(typed::at(&code.facts.text, offset));
        match self.server.ask(index, path, question).await? {
            Answer::Locations(found) => Ok(found),
            Answer::Diagnostics(_) => Err(Silence::Failed),
        }
    }
}

/// What an answer from the index says of itself, and why it is one.
fn because(how: &str, why: &Silence) -> String {
    match why {
        Silence::Absent => how.to_owned(),
        why => format!("{how}, {why}"),
    }
}

pub(super) fn none_with_severity(given: &str, severity: Severity) -> String {
    let with = match severity {
        Severity::All => "",
        Severity::Error => " with severity \"error\"",
        Severity::Warning => " with severity \"warning\"",
    };
    format!("No diagnostics found for {given}{with}.")
}

fn find(index: &Index, args: &SymbolArgs, deadline: &Deadline<'_>, max: usize) -> String {
    if index.project.is_empty() {
        return "No files found in project.".to_owned();
    }
    let mut notes: Vec<String> = index.project.shortfall().into_iter().collect();
    let files: Vec<_> = index.code().collect();
    if files.is_empty() {
        return "No TypeScript/JavaScript files found in project.".to_owned();
    }
    let kind = args.kind.unwrap_or_default();
    let query = args.query.to_lowercase();
    let mut found: Vec<(u8, &Arc<str>, &Declaration)> = Vec::new();
    let all = files.len();
    for (n, (path, code)) in files.into_iter().enumerate() {
        if n % 64 == 0 && deadline.is_over() {
            notes.push(timed_out(TIME, n, all, "files"));
            break;
        }
        for declared in &code.facts.declarations {
            if kind != SymbolKind::All && declared.kind.group() != kind.name() {
                continue;
            }
            let name = declared.name.to_lowercase();
            if name.contains(&query) {
                // Exact names first; what a whole module can see before what one function can.
                let rank = 2 * u8::from(name != query) + u8::from(declared.is_local);
                found.push((rank, path, declared));
            }
        }
    }
    if found.is_empty() {
        let of_kind =
            if kind == SymbolKind::All { String::new() } else { format!(" of kind \"{}\"", kind.name()) };
        let text = format!("No symbols found matching \"{}\"{of_kind}.", args.query);
        return std::iter::once(text).chain(notes).collect::<Vec<_>>().join("\n");
    }
    found.sort_by_key(|(rank, path, declared)| (*rank, *path, declared.span));
    let mut texts: HashMap<&Arc<str>, Lines<'_>> = HashMap::new();
    let shown = found.iter().take(MAX_RESULTS).filter_map(|(_, path, declared)| {
        let text = &index.get(path)?.text;
        let Position { line, column } =
            texts.entry(path).or_insert_with(|| Lines::new(text)).position(declared.span.start as usize);
        let name = match &declared.parent {
            Some(parent) => format!("{parent}.{}", declared.name),
            None => declared.name.to_string(),
        };
        Some(format!("[{}] {name} - {path}:{line}:{column}", declared.kind.group()))
    });
    let cut =
        if found.len() > MAX_RESULTS { format!(" (showing first {MAX_RESULTS})") } else { String::new() };
    listed(format!("Found {} symbol(s){cut}:", found.len()), shown.collect(), notes, max)
}

/// The file and the byte that a call means.
fn at(index: &Index, args: &PlaceArgs, doing: &str) -> Result<(Arc<str>, usize), ToolError> {
    let path = code_path(&index.project, doing, &args.path)?;
    let wrong = |why: String| ToolError::Text(format!("Error {doing}: {why}"));
    let file = index.get(&path).ok_or_else(|| wrong(format!("{path} is not loaded")))?;
    let offset = Lines::new(&file.text).offset(args.line, args.column).map_err(wrong)?;
    Ok((path, offset))
}

fn references(index: &Index, args: &PlaceArgs, how: &str, max: usize) -> Result<String, ToolError> {
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

fn definition(index: &Index, args: &PlaceArgs, how: &str, max: usize) -> Result<String, ToolError> {
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

fn diagnostics(index: &Index, args: &DiagnosticsArgs, how: &str, max: usize) -> Result<String, ToolError> {
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

#[cfg(test)]
#[path = "language_tests.rs"]
mod tests;
