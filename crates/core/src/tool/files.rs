//! readFile, writeFile, deleteFile, listFiles, getProjectStructure. Names, parameters and result
//! texts are a contract with prompts and stored conversations; see `docs/tools.md`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Access, Tool, ToolError, cap, parse_args};
use crate::model::ToolSpec;
use crate::store::writer::CHANGE_BUDGET;
use crate::workspace::path::{normalise, normalise_file};
use crate::workspace::{ChangeLine, Entry, EntryKind, FileError, Listing, ProjectFiles};

/// Characters (UTF-16 units) of a written file that the project's log shows.
pub(super) const PREVIEW_UNITS: usize = 500;

/// The five file tools, in the order in which they are offered.
pub fn file_tools(files: &Arc<dyn ProjectFiles>, max_result_bytes: usize) -> Vec<Arc<dyn Tool>> {
    [FileTool::Read, FileTool::Write, FileTool::Delete, FileTool::List, FileTool::Structure]
        .into_iter()
        .map(|tool| Arc::new(Bound { tool, files: Arc::clone(files), max_result_bytes }) as Arc<dyn Tool>)
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum FileTool {
    Read,
    Write,
    Delete,
    List,
    Structure,
}

struct Bound {
    tool: FileTool,
    files: Arc<dyn ProjectFiles>,
    max_result_bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathArgs {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteArgs {
    path: String,
    content: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListArgs {
    #[serde(default)]
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

impl Tool for Bound {
    fn spec(&self) -> ToolSpec {
        let (name, description, properties, required) = match self.tool {
            FileTool::Read => (
                "readFile",
                "Read the contents of a file in the project.",
                json!({ "path": path_schema("Path of the file, relative to the project root") }),
                json!(["path"]),
            ),
            FileTool::Write => (
                "writeFile",
                "Create a file or replace its contents. Parent folders are created as needed.",
                json!({
                    "path": path_schema("Path of the file, relative to the project root"),
                    "content": { "type": "string", "description": "The complete new contents of the file" },
                }),
                json!(["path", "content"]),
            ),
            FileTool::Delete => (
                "deleteFile",
                "Delete a file, or a folder with everything in it.",
                json!({ "path": path_schema("Path of the file or folder, relative to the project root") }),
                json!(["path"]),
            ),
            FileTool::List => (
                "listFiles",
                "List the files and folders of one directory (one level).",
                json!({ "path": path_schema("Path of the directory; empty or left out: the project root") }),
                json!([]),
            ),
            FileTool::Structure => (
                "getProjectStructure",
                "List the full paths of all files in the project, sorted; an empty folder is shown as `path/`.",
                json!({}),
                json!([]),
            ),
        };
        let mut parameters = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if required != json!([]) {
            parameters["required"] = required;
        }
        ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
    }

    fn access(&self, args: &Value) -> Access {
        let path = args.get("path").and_then(Value::as_str).and_then(|path| normalise(path).ok());
        match self.tool {
            FileTool::Read | FileTool::List => Access::Read(path.unwrap_or_default()),
            FileTool::Write | FileTool::Delete => Access::Write(path.unwrap_or_default()),
            FileTool::Structure => Access::Read(String::new()),
        }
    }

    fn limit(&self, of_run: Duration) -> Duration {
        match self.tool {
            FileTool::Write | FileTool::Delete => change_limit(of_run),
            FileTool::Read | FileTool::List | FileTool::Structure => of_run,
        }
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn call<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            match self.tool {
                FileTool::Read => self.read(parse_args("readFile", args)?).await,
                FileTool::Write => self.write(parse_args("writeFile", args)?, at, false).await,
                FileTool::Delete => self.delete(parse_args("deleteFile", args)?, at, false).await,
                FileTool::List => self.list(parse_args("listFiles", args)?).await,
                FileTool::Structure => {
                    parse_args::<NoArgs>("getProjectStructure", args)?;
                    self.structure().await
                }
            }
        }
        .boxed()
    }

    fn recover<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            match self.tool {
                FileTool::Write => self.write(parse_args("writeFile", args)?, at, true).await,
                FileTool::Delete => self.delete(parse_args("deleteFile", args)?, at, true).await,
                FileTool::Read | FileTool::List | FileTool::Structure => self.call(args, at).await,
            }
        }
        .boxed()
    }
}

/// How long a call that changes a file may take. The store says itself when it gives up; a call that was
/// stopped before might be made all the same.
pub(super) fn change_limit(of_run: Duration) -> Duration {
    of_run.max(CHANGE_BUDGET + Duration::from_secs(30))
}

/// What the log says of a file with this new text, or of one that is deleted. `at`: the call's own time.
pub(crate) fn change_line(path: &str, content: Option<&str>, at: f64) -> ChangeLine {
    ChangeLine {
        message: format!("{} {path}", if content.is_some() { "Wrote" } else { "Deleted" }),
        preview: content.map(|content| cap::preview(content, PREVIEW_UNITS)),
        created_at: at,
        again: false,
    }
}

fn path_schema(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

/// `Error <doing>: <why>` for what the project refuses; what the store cannot do ends the run.
pub(super) fn failed(doing: &str, error: impl Into<FileError>) -> ToolError {
    match error.into() {
        FileError::Refused(why) => ToolError::Text(format!("Error {doing}: {why}")),
        FileError::Store(error) => ToolError::Fatal(error),
    }
}

impl From<crate::workspace::path::PathError> for FileError {
    fn from(error: crate::workspace::path::PathError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Bound {
    async fn read(&self, PathArgs { path }: PathArgs) -> Result<String, ToolError> {
        const DOING: &str = "reading file";
        let normal = normalise(&path).map_err(|e| failed(DOING, e))?;
        if normal.is_empty() {
            return Err(ToolError::Text(format!("Error {DOING}: {path:?} is a folder; use listFiles")));
        }
        match self.files.read(&normal).await.map_err(|e| failed(DOING, e))? {
            Some(Entry::File { content }) => Ok(cap::head(content, self.max_result_bytes)),
            Some(Entry::Folder) => {
                Err(ToolError::Text(format!("Error {DOING}: {path} is a folder; use listFiles")))
            }
            Some(Entry::Binary) => Err(ToolError::Text(format!("Error {DOING}: {path} is a binary file"))),
            None => Err(ToolError::Text(format!("File not found: {path}"))),
        }
    }

    async fn write(
        &self,
        WriteArgs { path, content }: WriteArgs,
        at: f64,
        again: bool,
    ) -> Result<String, ToolError> {
        const DOING: &str = "writing file";
        let normal = normalise_file(&path).map_err(|e| failed(DOING, e))?;
        let line = ChangeLine { again, ..change_line(&normal, Some(&content), at) };
        self.files.write(&normal, &content, &line).await.map_err(|e| failed(DOING, e))?;
        Ok(format!("Successfully wrote to {path}"))
    }

    async fn delete(&self, PathArgs { path }: PathArgs, at: f64, again: bool) -> Result<String, ToolError> {
        const DOING: &str = "deleting file";
        let normal = normalise(&path).map_err(|e| failed(DOING, e))?;
        if normal.is_empty() {
            return Err(ToolError::Text(format!("Error {DOING}: File not found")));
        }
        let line = ChangeLine { again, ..change_line(&normal, None, at) };
        self.files.delete(&normal, &line).await.map_err(|e| failed(DOING, e))?;
        Ok(format!("Successfully deleted {path}"))
    }

    async fn list(&self, ListArgs { path }: ListArgs) -> Result<String, ToolError> {
        const DOING: &str = "listing files";
        let path = path.unwrap_or_default();
        let normal = normalise(&path).map_err(|e| failed(DOING, e))?;
        match self.files.list(&normal).await.map_err(|e| failed(DOING, e))? {
            None => Err(ToolError::Text(format!("Error {DOING}: Directory not found: {path}"))),
            Some(Listing::File) => {
                Err(ToolError::Text(format!("Error {DOING}: {path} is a file; use readFile")))
            }
            Some(Listing::Folder { entries }) if entries.is_empty() && normal.is_empty() => {
                Ok("Project has no files yet.".to_owned())
            }
            Some(Listing::Folder { entries }) if entries.is_empty() => {
                Ok(format!("Directory is empty: {path}"))
            }
            Some(Listing::Folder { entries }) => {
                let lines = entries.iter().map(|entry| match entry.kind {
                    EntryKind::Folder => format!("[folder] {}", entry.name),
                    EntryKind::File => format!("[file] {}", entry.name),
                });
                Ok(bounded(lines.collect(), self.max_result_bytes, "entries"))
            }
        }
    }

    async fn structure(&self) -> Result<String, ToolError> {
        let structure = self.files.structure().await.map_err(|e| failed("getting project structure", e))?;
        let mut lines = structure.files;
        lines.extend(structure.empty_folders.into_iter().map(|folder| format!("{folder}/")));
        lines.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        if lines.is_empty() {
            return Ok("Project has no files yet.".to_owned());
        }
        Ok(bounded(lines, self.max_result_bytes, "paths"))
    }
}

/// Joins lines within `max` bytes; a cut list closes with the shown and the total count.
fn bounded(lines: Vec<String>, max: usize, what: &str) -> String {
    let total = lines.len();
    let mut used = 0;
    let shown = lines.iter().take_while(|line| {
        used += line.len() + 1;
        used <= max
    });
    let shown: Vec<&str> = shown.map(String::as_str).collect();
    let count = shown.len();
    let mut text = shown.join("\n");
    if count < total {
        text.push_str(&format!("\n[Showing {count} of {total} {what}]"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::memory::MemoryFiles;

    async fn run(files: &[(&str, &str)], name: &str, args: Value) -> String {
        let files: Arc<dyn ProjectFiles> = Arc::new(MemoryFiles::new(
            files.iter().map(|(p, c)| ((*p).to_owned(), (*c).to_owned())).collect(),
        ));
        let tools = file_tools(&files, 1_000);
        let tool = tools.iter().find(|tool| tool.spec().name == name).unwrap();
        match tool.call(&args, 0.0).await {
            Ok(text) | Err(ToolError::Text(text)) => text,
            Err(ToolError::Fatal(error)) => panic!("{error}"),
        }
    }

    const FILES: &[(&str, &str)] = &[("src/a.ts", "export {}"), ("README.md", ""), ("src/b/c.ts", "c")];

    #[tokio::test]
    async fn read_file_tells_file_empty_folder_and_missing_apart() {
        for (path, expected) in [
            ("src/a.ts", "export {}"),
            ("/src//a.ts", "export {}"),
            ("README.md", ""),
            ("src", "Error reading file: src is a folder; use listFiles"),
            ("nope.ts", "File not found: nope.ts"),
            ("../x", "Error reading file: the path leaves the project"),
        ] {
            assert_eq!(run(FILES, "readFile", json!({ "path": path })).await, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn a_long_file_shows_its_head_and_both_sizes() {
        let text = run(&[("long", &"x\n".repeat(2_000))], "readFile", json!({ "path": "long" })).await;
        assert!(text.ends_with("[Truncated: the first 999 of 4000 bytes are shown]"), "{text}");
    }

    #[tokio::test]
    async fn write_file_creates_and_refuses() {
        for (path, expected) in [
            ("src/new.ts", "Successfully wrote to src/new.ts"),
            ("src", "Error writing file: src is a folder"),
            ("src/a.ts/x.ts", "Error writing file: src/a.ts is a file, not a folder"),
            ("", "Error writing file: Invalid file path"),
        ] {
            assert_eq!(
                run(FILES, "writeFile", json!({ "path": path, "content": "" })).await,
                expected,
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn delete_file_never_deletes_the_root() {
        for (path, expected) in [
            ("src", "Successfully deleted src"),
            ("", "Error deleting file: File not found"),
            ("/", "Error deleting file: File not found"),
            ("nope", "Error deleting file: File not found"),
        ] {
            assert_eq!(run(FILES, "deleteFile", json!({ "path": path })).await, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn list_files_shows_one_level_folders_first() {
        assert_eq!(run(FILES, "listFiles", json!({})).await, "[folder] src\n[file] README.md");
        assert_eq!(run(FILES, "listFiles", json!({ "path": "src" })).await, "[folder] b\n[file] a.ts");
        assert_eq!(run(&[], "listFiles", json!({ "path": "" })).await, "Project has no files yet.");
        assert_eq!(
            run(FILES, "listFiles", json!({ "path": "src/a.ts" })).await,
            "Error listing files: src/a.ts is a file; use readFile"
        );
    }

    #[tokio::test]
    async fn the_structure_is_sorted_by_utf16_units() {
        assert_eq!(run(FILES, "getProjectStructure", json!({})).await, "README.md\nsrc/a.ts\nsrc/b/c.ts");
        assert_eq!(run(&[], "getProjectStructure", json!({})).await, "Project has no files yet.");
    }

    #[tokio::test]
    async fn arguments_that_do_not_fit_name_the_parameter_and_nothing_runs() {
        assert_eq!(
            run(FILES, "readFile", json!({ "path": 7 })).await,
            "Error: invalid arguments for readFile at `path`: invalid type: integer `7`, expected a string. The tool was not run."
        );
        assert_eq!(
            run(FILES, "writeFile", json!({ "path": "a" })).await,
            "Error: invalid arguments for writeFile: missing field `content`. The tool was not run."
        );
    }
}
