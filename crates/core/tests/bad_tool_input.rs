//! What models ask wrongly and what projects hold: every tool answers in words, and nothing is changed.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use polaris_core::code::server::LanguageServer;
use polaris_core::config::Env;
use polaris_core::tool::ToolError;
use polaris_core::tool::command::ExecuteCommand;
use polaris_core::tool::registry::Registry;
use polaris_core::workspace::memory::MemoryFiles;
use polaris_core::workspace::snapshot::Snapshot;
use polaris_core::workspace::{
    Applied, Change, ChangeLine, Entry, EntryKind, FileChange, FileError, FileRow, FilesPage, Listing,
    PageRequest, ProjectFiles, Structure,
};
use serde_json::{Value, json};

struct Lab {
    tools: Registry,
    files: Arc<MemoryFiles>,
}

fn registry(files: Arc<dyn ProjectFiles>) -> Registry {
    let snapshot = Arc::new(Snapshot::new(files));
    let command = ExecuteCommand::new(Arc::clone(&snapshot), Env::default(), 30_000);
    Registry::for_code(&snapshot, 64 << 10, command, &Arc::new(LanguageServer::new(&Env::default())))
}

async fn ask(tools: &Registry, tool: &str, args: Value) -> String {
    match tools.get(tool).unwrap().call(&args, 1.0).await {
        Ok(text) | Err(ToolError::Text(text)) => text,
        Err(ToolError::Fatal(error)) => panic!("{tool} {args}: {error}"),
    }
}

impl Lab {
    fn new(files: &[(&str, &str)]) -> Self {
        let files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let files = Arc::new(MemoryFiles::new(files));
        Self { tools: registry(Arc::clone(&files) as _), files }
    }
}

const FILES: [(&str, &str); 3] = [("src/a.ts", "export const a = 1;\n"), ("b.md", "# b\n"), ("x", "")];

/// The arguments of every tool that takes a path.
fn with_path(path: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("readFile", json!({ "path": path })),
        ("writeFile", json!({ "path": path, "content": "changed" })),
        ("deleteFile", json!({ "path": path })),
        ("listFiles", json!({ "path": path })),
        ("editFile", json!({ "path": path, "oldText": "a", "newText": "b" })),
        ("getReferences", json!({ "path": path, "line": 1, "column": 1 })),
        ("getDiagnostics", json!({ "path": path })),
        ("goToDefinition", json!({ "path": path, "line": 1, "column": 1 })),
        ("getRelevantFiles", json!({ "query": "a", "currentFile": path })),
    ]
}

#[tokio::test]
async fn a_path_that_no_project_has_is_refused_by_every_tool_and_nothing_changes() {
    let lab = Lab::new(&FILES);
    let long = "a/".repeat(5_000);
    let before = lab.files.snapshot();
    for path in ["../x", "src/../../x", "/../x", "a\0b", "src\\a.ts", "a\nb", "C:\\x", &long] {
        for (tool, args) in with_path(path) {
            let text = ask(&lab.tools, tool, args).await;
            assert!(text.starts_with("Error "), "{tool} {path:?}: {text}");
            assert!(text.len() < 300, "{tool}: the path is not repeated at length: {}", text.len());
        }
    }
    // An absolute path is one of the project.
    for (tool, args) in with_path("/etc/passwd") {
        if tool != "writeFile" && tool != "getRelevantFiles" {
            let text = ask(&lab.tools, tool, args).await;
            assert!(text.contains("not found"), "{tool}: {text}");
        }
    }
    assert_eq!(lab.files.snapshot(), before);
}

#[tokio::test]
async fn a_place_that_is_not_there_names_those_that_are() {
    let lab = Lab::new(&FILES);
    for (line, column, says) in [
        (json!(0), json!(1), "`line` must be a whole number from 1 to 2"),
        (json!(3), json!(1), "`line` must be a whole number from 1 to 2"),
        (json!(1.5), json!(1), "`line` must be a whole number from 1 to 2"),
        (json!(-1e300), json!(1), "`line` must be a whole number from 1 to 2"),
        (json!(1), json!(0), "`column` must be a whole number from 1 to 20 in line 1"),
        (json!(1), json!(21), "`column` must be a whole number from 1 to 20 in line 1"),
        (json!(1), json!(1e18), "`column` must be a whole number from 1 to 20 in line 1"),
        (json!("1"), json!(1), "invalid arguments"),
    ] {
        for tool in ["getReferences", "goToDefinition"] {
            let args = json!({ "path": "src/a.ts", "line": line, "column": column });
            let text = ask(&lab.tools, tool, args).await;
            assert!(text.starts_with("Error") && text.contains(says), "{tool} {line}:{column}: {text}");
        }
    }
}

#[tokio::test]
async fn patterns_that_mean_nothing_or_never_end_are_answered() {
    let evil = format!("{}!", "a".repeat(40));
    let lab = Lab::new(&[("a.txt", &evil)]);
    for pattern in ["(", "[", "a{99999}{99999}", "(?<n", "*", &"(".repeat(20_000)] {
        let text = ask(&lab.tools, "searchFiles", json!({ "pattern": pattern })).await;
        assert!(text.starts_with("Invalid regex pattern: ") && text.len() < 1_000, "{pattern:.20}: {text}");
    }
    // For ever in an engine that only backtracks.
    let text = ask(&lab.tools, "searchFiles", json!({ "pattern": "^(a+)+$" })).await;
    assert!(text.starts_with("No matches found"), "{text}");
    let text = ask(&lab.tools, "searchFiles", json!({ "pattern": "^(?=a)(a|aa)+\\1$" })).await;
    assert!(text.starts_with("Stopped early") && text.contains("too much backtracking"), "{text}");
    for pattern in ["[", "{", "]]", "{a,", "[z-a]", "[!]", "***/**", "!", "", "\\", "a\0"] {
        let text = ask(&lab.tools, "findFilesByPattern", json!({ "pattern": pattern })).await;
        assert!(text.starts_with("No files matching") || text.starts_with("Found 1"), "{pattern:?}: {text}");
    }
    let long = json!({ "pattern": "a".repeat(5_000) });
    let text = ask(&lab.tools, "findFilesByPattern", long).await;
    assert!(text.starts_with("Error finding files: the pattern is longer than"), "{text}");
}

/// A store with these rows, a thousand a page.
struct Rows(Vec<FileRow>);

impl Rows {
    fn new(rows: impl Iterator<Item = (String, EntryKind, Option<String>)>) -> Arc<Self> {
        let row = |(name, kind, content): (String, EntryKind, Option<String>)| FileRow {
            id: name.clone(),
            parent_id: None,
            binary: kind == EntryKind::File && content.is_none(),
            name,
            kind,
            updated_at: 1.0,
            content,
        };
        Arc::new(Self(rows.map(row).collect()))
    }
}

impl ProjectFiles for Rows {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Option<Entry>, FileError>> {
        let row = self.0.iter().find(|row| row.name == path);
        ready(Ok(row.map(|row| match (&row.content, row.kind) {
            (_, EntryKind::Folder) => Entry::Folder,
            (None, EntryKind::File) => Entry::Binary,
            (Some(content), EntryKind::File) => Entry::File { content: content.clone() },
        })))
        .boxed()
    }
    fn page<'a>(&'a self, request: &'a PageRequest) -> BoxFuture<'a, Result<FilesPage, FileError>> {
        const PAGE: usize = 1_000;
        if request.unless == Some(1.0) {
            return ready(Ok(FilesPage { updated_at: 1.0, rows: Vec::new(), cursor: None })).boxed();
        }
        let from: usize = request.cursor.as_deref().unwrap_or("0").parse().unwrap();
        let rows = self.0.iter().skip(from).take(PAGE).cloned().collect();
        let cursor = (from + PAGE < self.0.len()).then(|| (from + PAGE).to_string());
        ready(Ok(FilesPage { updated_at: 1.0, rows, cursor })).boxed()
    }
    fn write<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        unreachable!()
    }
    fn delete<'a>(
        &'a self,
        _: &'a str,
        _: &'a ChangeLine,
    ) -> BoxFuture<'a, Result<Option<Change>, FileError>> {
        unreachable!()
    }
    fn apply<'a>(&'a self, _: &'a [FileChange]) -> BoxFuture<'a, Result<Applied, FileError>> {
        unreachable!()
    }
    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Listing>, FileError>> {
        unreachable!()
    }
    fn structure(&self) -> BoxFuture<'_, Result<Structure, FileError>> {
        unreachable!()
    }
}

/// A call of every tool that looks at the project as a whole.
fn looks() -> Vec<(&'static str, Value)> {
    vec![
        ("findSymbol", json!({ "query": "a" })),
        ("getReferences", json!({ "path": "a.ts", "line": 1, "column": 1 })),
        ("getDiagnostics", json!({ "path": "a.ts" })),
        ("goToDefinition", json!({ "path": "a.ts", "line": 1, "column": 1 })),
        ("searchFiles", json!({ "pattern": "a" })),
        ("searchCodebase", json!({ "patternType": "all" })),
        ("findFilesByPattern", json!({ "pattern": "**" })),
        ("getRelevantFiles", json!({ "query": "a" })),
    ]
}

#[tokio::test]
async fn a_project_without_files_or_without_texts_is_said() {
    let folder = ("src".to_owned(), EntryKind::Folder, None);
    for rows in [vec![], vec![folder.clone()]] {
        let tools = registry(Rows::new(rows.into_iter()));
        for (tool, args) in looks() {
            assert_eq!(ask(&tools, tool, args).await, "No files found in project.", "{tool}");
        }
    }
    // Of a binary file, however large, only its name is ever fetched.
    let binary = |name: &str| (name.to_owned(), EntryKind::File, None);
    let tools = registry(Rows::new([folder, binary("a.ts"), binary("movie.mp4")].into_iter()));
    let expected = [
        ("findSymbol", "No TypeScript/JavaScript files found in project."),
        ("getReferences", "Error finding references: a.ts is a binary file"),
        ("getDiagnostics", "Error getting diagnostics: a.ts is a binary file"),
        ("goToDefinition", "Error finding definition: a.ts is a binary file"),
        ("searchFiles", "No searchable files found in project."),
        ("searchCodebase", "No code files found in project."),
        ("findFilesByPattern", "Found 2 file(s) matching \"**\":\na.ts\nmovie.mp4"),
        ("getRelevantFiles", "No relevant files found for query: \"a\""),
    ];
    for ((tool, args), (name, says)) in looks().into_iter().zip(expected) {
        assert_eq!((tool, ask(&tools, tool, args).await.as_str()), (name, says));
    }
    assert_eq!(
        ask(&tools, "readFile", json!({ "path": "movie.mp4" })).await,
        "Error reading file: movie.mp4 is a binary file"
    );
}

#[tokio::test]
async fn thirty_thousand_files_are_looked_at_and_lists_say_how_many_there_are() {
    let rows = (0..30_000).map(|n| {
        let (ending, text) = match n % 100 {
            0 => ("ts", format!("export const item{n} = {n};\n")),
            _ => ("txt", format!("note {n}\n")),
        };
        (format!("src/{}/file{n}.{ending}", n / 100), EntryKind::File, Some(text))
    });
    let tools = registry(Rows::new(rows));
    for (tool, args, says) in [
        ("findFilesByPattern", json!({ "pattern": "**" }), "(Showing 50 of 30000 matches)"),
        ("findFilesByPattern", json!({ "pattern": "file299*.ts" }), "Found 1 file(s)"),
        ("searchFiles", json!({ "pattern": "note" }), "Found 10000+ match(es) (showing first 50):"),
        ("searchFiles", json!({ "pattern": "NOTE 29999" }), "src/299/file29999.txt:1:1 - note 29999"),
        ("findSymbol", json!({ "query": "item" }), "Found 300 symbol(s) (showing first 50):"),
        ("searchCodebase", json!({ "patternType": "all", "searchTerm": "item29900" }), "Found 2 pattern(s)"),
        ("getRelevantFiles", json!({ "query": "item29900" }), "1. src/299/file29900.ts"),
    ] {
        let text = ask(&tools, tool, args).await;
        assert!(text.contains(says), "{tool}: {text:.300}");
    }
}
