//! searchFiles, searchCodebase, findFilesByPattern.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::project::{Deadline, Looking, failed, listed, spec, timed_out, with_notes};
use super::text_search::{self, FilesArgs, TextSearch};
use super::{Access, Tool, ToolError, parse_args};
use crate::code::facts::{Facts, ImportKind, UNWRITTEN, What};
use crate::code::glob::Pattern;
use crate::code::grep::MAX_RESULTS;
use crate::code::index::{Index, on_thread};
use crate::code::lines::{Lines, trimmed};
use crate::code::needle::Needle;
use crate::code::paths::{Matches, Paths};
use crate::model::ToolSpec;

/// Time for a look at the index.
const TIME: Duration = Duration::from_secs(10);
/// UTF-16 units of a line that are shown.
const LINE_UNITS: usize = 120;

/// The three search tools, in the order in which they are offered.
#[derive(Debug, Clone, Copy)]
pub(super) enum SearchTool {
    Files,
    Codebase,
    Paths,
}

impl SearchTool {
    pub(super) const ALL: [Self; 3] = [Self::Files, Self::Codebase, Self::Paths];
}

pub(super) struct Bound {
    pub tool: SearchTool,
    pub looking: Looking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PatternType {
    Import,
    Function,
    Class,
    Variable,
    Export,
    Call,
    All,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct CodebaseArgs {
    pattern_type: PatternType,
    #[serde(default)]
    search_term: Option<String>,
    #[serde(default)]
    file_pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathsArgs {
    pattern: String,
}

const GLOB: &str = "`*`, `?`, `**/`, `[abc]` and `{a,b}` work; a pattern without `/` is for the file name in any folder; brackets in real names such as `src/[id]/page.tsx` are found too";

impl Tool for Bound {
    fn spec(&self) -> ToolSpec {
        let glob = |what: &str| json!({ "type": "string", "description": format!("{what}: {GLOB}") });
        match self.tool {
            SearchTool::Files => spec(
                "searchFiles",
                "Search file contents with a regular expression (JavaScript syntax, one line at a time). Gives path, line, column and the matching line.",
                json!({
                    "pattern": { "type": "string", "description": "The regular expression" },
                    "filePattern": glob("Only files that match this glob"),
                    "caseSensitive": { "type": "boolean", "description": "Default: false" },
                }),
                &["pattern"],
            ),
            SearchTool::Codebase => spec(
                "searchCodebase",
                "Search the code by what it says, not by its text: imports, functions, classes, variables, exports and calls, from a real parse of TypeScript and JavaScript.",
                json!({
                    "patternType": {
                        "type": "string",
                        "enum": ["import", "function", "class", "variable", "export", "call", "all"],
                        "description": "What to look for",
                    },
                    "searchTerm": { "type": "string", "description": "Part of the name, in any case; for imports, of the module specifier" },
                    "filePattern": glob("Only files that match this glob"),
                }),
                &["patternType"],
            ),
            SearchTool::Paths => spec(
                "findFilesByPattern",
                "Find files by a glob pattern.",
                json!({ "pattern": glob("The glob") }),
                &["pattern"],
            ),
        }
    }

    fn access(&self, _args: &Value) -> Access {
        Access::Read(String::new())
    }

    fn call<'a>(&'a self, args: &'a Value, _at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            match self.tool {
                SearchTool::Files => self.files(parse_args("searchFiles", args)?).await,
                SearchTool::Codebase => self.codebase(parse_args("searchCodebase", args)?).await,
                SearchTool::Paths => self.paths(parse_args("findFilesByPattern", args)?).await,
            }
        }
        .boxed()
    }
}

pub(super) fn glob(doing: &str, pattern: Option<&str>) -> Result<Option<Pattern>, ToolError> {
    let pattern = pattern.filter(|pattern| !pattern.trim().is_empty());
    pattern.map(Pattern::new).transpose().map_err(|why| ToolError::Text(format!("Error {doing}: {why}")))
}

impl Bound {
    async fn files(&self, args: FilesArgs) -> Result<String, ToolError> {
        let search = TextSearch::new(args)?;
        let indexer = &self.looking.indexer;
        let project = indexer.project().await.map_err(|e| failed(text_search::DOING, e))?;
        let (shelf, max) = (Arc::clone(&indexer.words), self.looking.max_result_bytes);
        let look = on_thread(move |gone| search.run(&project, &shelf, gone, max));
        look.await.map_err(|e| failed(text_search::DOING, e))
    }

    async fn codebase(&self, args: CodebaseArgs) -> Result<String, ToolError> {
        const DOING: &str = "searching codebase";
        let pattern = glob(DOING, args.file_pattern.as_deref())?;
        let max = self.looking.max_result_bytes;
        let look = move |index: &Index, deadline: &Deadline<'_>| {
            search_code(index, &args, pattern.as_ref(), deadline, max)
        };
        self.looking.look(DOING, TIME, look).await
    }

    async fn paths(&self, args: PathsArgs) -> Result<String, ToolError> {
        const DOING: &str = "finding files";
        let pattern =
            Pattern::new(&args.pattern).map_err(|why| ToolError::Text(format!("Error {DOING}: {why}")))?;
        let paths = self.looking.indexer.paths().await.map_err(|e| failed(DOING, e))?;
        let max = self.looking.max_result_bytes;
        if pattern.is_quick() {
            return Ok(find_paths(&paths, &args.pattern, &pattern, max));
        }
        let find = on_thread(move |_| find_paths(&paths, &args.pattern, &pattern, max));
        find.await.map_err(|e| failed(DOING, e))
    }
}

fn find_paths(paths: &Paths, given: &str, pattern: &Pattern, max: usize) -> String {
    if paths.is_empty() {
        return "No files found in project.".to_owned();
    }
    let Matches { total, first } = paths.matching(pattern, MAX_RESULTS);
    let mut notes: Vec<String> = Vec::new();
    if total > MAX_RESULTS {
        notes.push(format!("\n(Showing {MAX_RESULTS} of {total} matches)"));
    }
    // Names are known of all files, but perhaps not all files.
    notes.extend(paths.shortfall().map(str::to_owned));
    if total == 0 {
        return with_notes(format!("No files matching pattern \"{given}\" found."), notes);
    }
    listed(format!("Found {total} file(s) matching \"{given}\":"), first, notes, max)
}

/// Something that the code says.
struct Hit<'i> {
    label: &'static str,
    name: &'i str,
    at: u32,
}

fn search_code(
    index: &Index,
    args: &CodebaseArgs,
    pattern: Option<&Pattern>,
    deadline: &Deadline<'_>,
    max: usize,
) -> String {
    let given = args.file_pattern.as_deref().unwrap_or_default();
    if index.project.is_empty() {
        return "No files found in project.".to_owned();
    }
    let files: Vec<_> =
        index.code().filter(|(path, _)| pattern.is_none_or(|pattern| pattern.matches(path))).collect();
    let notes: Vec<String> = index.project.shortfall().into_iter().collect();
    if files.is_empty() {
        let text = match pattern {
            Some(_) => format!("No code files matching pattern \"{given}\" found."),
            None => "No code files found in project.".to_owned(),
        };
        return with_notes(text, notes);
    }
    let term = Term::new(args.search_term.as_deref().unwrap_or_default());
    let (mut total, mut lines, mut notes, all) = (0, Vec::new(), notes, files.len());
    for (n, (path, code)) in files.into_iter().enumerate() {
        if n % 16 == 0 && deadline.is_over() {
            notes.push(timed_out(TIME, n, all, "files"));
            break;
        }
        let facts = &code.facts;
        if term.is_nowhere_in(facts) {
            continue;
        }
        let mut hits = hits(facts, args.pattern_type);
        hits.retain(|hit| term.is_in(hit.name));
        total += hits.len();
        if hits.is_empty() || lines.len() >= MAX_RESULTS {
            continue;
        }
        hits.sort_by_key(|hit| hit.at);
        let text = Lines::new(&facts.text);
        for hit in hits.into_iter().take(MAX_RESULTS - lines.len()) {
            let line = text.line_at(hit.at as usize);
            let shown = trimmed(text.text(line), LINE_UNITS);
            lines.push(format!("[{}] {} - {path}:{line}\n    {shown}", hit.label, hit.name));
        }
    }
    let (one, many) = match args.pattern_type {
        PatternType::Import => ("import", "imports"),
        PatternType::Function => ("function", "functions"),
        PatternType::Class => ("class", "classes"),
        PatternType::Variable => ("variable", "variables"),
        PatternType::Export => ("export", "exports"),
        PatternType::Call => ("call", "calls"),
        PatternType::All => ("pattern", "code patterns"),
    };
    if total == 0 {
        let matching = match args.search_term.as_deref() {
            Some(term) if !term.is_empty() => format!(" matching \"{term}\""),
            _ => String::new(),
        };
        let within =
            if pattern.is_some() { format!(" in files matching \"{given}\"") } else { String::new() };
        return with_notes(format!("No {many} found{matching}{within}."), notes);
    }
    let cut = if total > MAX_RESULTS { format!(" (showing first {MAX_RESULTS})") } else { String::new() };
    listed(format!("Found {total} {one}(s){cut}:"), lines, notes, max)
}

/// What names are to contain, in any case; nothing is in all of them.
struct Term {
    lower: String,
    needle: Option<Needle>,
    /// A name that need not stand in a text contains it.
    is_unwritten: bool,
}

impl Term {
    fn new(term: &str) -> Self {
        let lower = term.to_lowercase();
        let needle = Needle::new(&lower);
        let is_unwritten = UNWRITTEN.iter().any(|name| name.contains(&lower));
        Self { lower, needle, is_unwritten }
    }

    fn is_in(&self, name: &str) -> bool {
        match &self.needle {
            None if self.lower.is_empty() => true,
            Some(needle) if name.is_ascii() => needle.is_in_short(name),
            _ => name.to_lowercase().contains(&self.lower),
        }
    }

    /// Whether the text alone says that no name of a file contains it.
    fn is_nowhere_in(&self, facts: &Facts) -> bool {
        let needle = self.needle.as_ref().filter(|_| !self.is_unwritten && facts.is_verbatim);
        needle.is_some_and(|needle| facts.text.is_ascii() && !needle.is_in(&facts.text))
    }
}

fn hits(facts: &Facts, wanted: PatternType) -> Vec<Hit<'_>> {
    let wants = |kind: PatternType| wanted == kind || wanted == PatternType::All;
    let mut hits = Vec::new();
    if wants(PatternType::Import) {
        let imports = facts.imports.iter().filter(|import| import.kind != ImportKind::ReExport);
        hits.extend(imports.map(|import| Hit { label: "import", name: &import.source, at: import.start }));
    }
    for construct in &facts.constructs {
        let (kind, label) = match construct.what {
            What::Function => (PatternType::Function, "function"),
            What::Class => (PatternType::Class, "class"),
            What::Variable => (PatternType::Variable, "variable"),
        };
        if wants(kind) {
            hits.push(Hit { label, name: &construct.name, at: construct.start });
        }
    }
    if wants(PatternType::Export) {
        let exports = facts.exports.iter();
        hits.extend(exports.map(|export| Hit { label: "export", name: &export.name, at: export.start }));
    }
    if wants(PatternType::Call) {
        let calls = facts.calls.iter();
        hits.extend(calls.map(|call| Hit { label: "call", name: call.of(&facts.text), at: call.start }));
    }
    hits
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
