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
use super::{Access, Tool, ToolError, parse_args, typed, untyped};
use crate::code::facts::Declaration;
use crate::code::index::Index;
use crate::code::lines::{Lines, Position};
use crate::code::links;
use crate::code::server::{Answer, At, LanguageServer, Location, Question, Silence};
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
    pub path: String,
    pub line: f64,
    pub column: f64,
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
pub(super) struct DiagnosticsArgs {
    pub path: String,
    #[serde(default)]
    pub severity: Option<Severity>,
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
        let look = move |index: &Index, _: &Deadline<'_>| untyped::diagnostics(index, &args, &how, max);
        self.looking.look(DOING, TIME, look).await?
    }

    /// The errors of a file.
    pub(super) async fn errors_of(&self, path: &str) -> Result<String, ToolError> {
        self.diagnostics(DiagnosticsArgs { path: path.to_owned(), severity: Some(Severity::Error) }).await
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
        let look = move |index: &Index, _: &Deadline<'_>| untyped::references(index, &args, &how, max);
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
        let look = move |index: &Index, _: &Deadline<'_>| untyped::definition(index, &args, &how, max);
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
pub(super) fn at(index: &Index, args: &PlaceArgs, doing: &str) -> Result<(Arc<str>, usize), ToolError> {
    let path = code_path(&index.project, doing, &args.path)?;
    let wrong = |why: String| ToolError::Text(format!("Error {doing}: {why}"));
    let file = index.get(&path).ok_or_else(|| wrong(format!("{path} is not loaded")))?;
    let offset = Lines::new(&file.text).offset(args.line, args.column).map_err(wrong)?;
    Ok((path, offset))
}

#[cfg(test)]
#[path = "language_tests.rs"]
mod tests;
