//! Beyond the tools that are offered by default: readFile with numbered lines, and editFile. The texts
//! are in `docs/tools.md`.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::files::{PREVIEW_UNITS, change_limit, failed};
use super::project::spec;
use super::{Access, Tool, ToolError, cap, parse_args};
use crate::code::lines::{Lines, utf16_len};
use crate::model::ToolSpec;
use crate::workspace::path::{normalise, normalise_file};
use crate::workspace::{ChangeLine, Entry, ProjectFiles};

/// What a task names in `tools` to have readFile with numbered lines.
pub(super) const READ_LINES: &str = "readFile+lines";
/// Lines that readFile shows if the call names no number.
const DEFAULT_LINES: usize = 2_000;
/// UTF-16 units of a line that readFile shows.
const LINE_UNITS: usize = 2_000;
/// Places of a text that is not unique that the model is told.
const MAX_PLACES: usize = 5;

/// The tools, each with what a task names it by.
pub(super) fn edit_tools(
    files: &Arc<dyn ProjectFiles>,
    max_result_bytes: usize,
) -> Vec<(&'static str, Arc<dyn Tool>)> {
    [(READ_LINES, EditTool::ReadLines), ("editFile", EditTool::Edit)]
        .into_iter()
        .map(|(key, tool)| {
            let bound = Bound { tool, files: Arc::clone(files), max_result_bytes };
            (key, Arc::new(bound) as Arc<dyn Tool>)
        })
        .collect()
}

#[derive(Debug, Clone, Copy)]
enum EditTool {
    ReadLines,
    Edit,
}

struct Bound {
    tool: EditTool,
    files: Arc<dyn ProjectFiles>,
    max_result_bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesArgs {
    path: String,
    #[serde(default)]
    offset: Option<f64>,
    #[serde(default)]
    limit: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct EditArgs {
    path: String,
    old_text: String,
    new_text: String,
    #[serde(default)]
    replace_all: Option<bool>,
}

impl Tool for Bound {
    fn spec(&self) -> ToolSpec {
        let path =
            json!({ "type": "string", "description": "Path of the file, relative to the project root" });
        match self.tool {
            EditTool::ReadLines => spec(
                "readFile",
                "Read a file of the project with line numbers, or a part of it. Each line is shown as its number, a tab and its text.",
                json!({
                    "path": path,
                    "offset": { "type": "integer", "description": "The first line to show, from 1. Default: 1" },
                    "limit": { "type": "integer", "description": format!("How many lines to show. Default: {DEFAULT_LINES}") },
                }),
                &["path"],
            ),
            EditTool::Edit => spec(
                "editFile",
                "Replace a text in a file by another one. The old text must match exactly, with its whitespace and without line numbers, and be there once, unless replaceAll is set.",
                json!({
                    "path": path,
                    "oldText": { "type": "string", "description": "The text to replace" },
                    "newText": { "type": "string", "description": "The text that takes its place" },
                    "replaceAll": { "type": "boolean", "description": "Replace every occurrence. Default: false" },
                }),
                &["path", "oldText", "newText"],
            ),
        }
    }

    fn access(&self, args: &Value) -> Access {
        let path = args.get("path").and_then(Value::as_str).and_then(|path| normalise(path).ok());
        match self.tool {
            EditTool::ReadLines => Access::Read(path.unwrap_or_default()),
            EditTool::Edit => Access::Write(path.unwrap_or_default()),
        }
    }

    fn limit(&self, of_run: Duration) -> Duration {
        match self.tool {
            EditTool::ReadLines => of_run,
            EditTool::Edit => change_limit(of_run),
        }
    }

    fn keeps_order(&self) -> bool {
        true
    }

    fn call<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            match self.tool {
                EditTool::ReadLines => self.read_lines(parse_args("readFile", args)?).await,
                EditTool::Edit => self.edit(&parse_args("editFile", args)?, at, false).await,
            }
        }
        .boxed()
    }

    fn recover<'a>(&'a self, args: &'a Value, at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            match self.tool {
                EditTool::ReadLines => self.call(args, at).await,
                EditTool::Edit => self.edit(&parse_args("editFile", args)?, at, true).await,
            }
        }
        .boxed()
    }
}

impl Bound {
    /// The contents of a text file.
    async fn text(&self, doing: &str, given: &str, normal: &str) -> Result<String, ToolError> {
        match self.files.read(normal).await.map_err(|e| failed(doing, e))? {
            Some(Entry::File { content }) => Ok(content),
            Some(Entry::Folder) => {
                Err(ToolError::Text(format!("Error {doing}: {given} is a folder; use listFiles")))
            }
            Some(Entry::Binary) => Err(ToolError::Text(format!("Error {doing}: {given} is a binary file"))),
            None => Err(ToolError::Text(format!("File not found: {given}"))),
        }
    }

    async fn read_lines(&self, args: LinesArgs) -> Result<String, ToolError> {
        const DOING: &str = "reading file";
        let LinesArgs { path, offset, limit } = &args;
        let normal = normalise(path).map_err(|e| failed(DOING, e))?;
        if normal.is_empty() {
            return Err(ToolError::Text(format!("Error {DOING}: {path:?} is a folder; use listFiles")));
        }
        let wrong = |why: String| ToolError::Text(format!("Error {DOING}: {why}"));
        let first = whole("offset", *offset, 1).map_err(wrong)?;
        let limit = whole("limit", *limit, DEFAULT_LINES).map_err(wrong)?;
        let text = self.text(DOING, path, &normal).await?;
        numbered(path, &text, first, limit, self.max_result_bytes).map_err(wrong)
    }

    async fn edit(&self, args: &EditArgs, at: f64, again: bool) -> Result<String, ToolError> {
        const DOING: &str = "editing file";
        let EditArgs { path, old_text, new_text, replace_all } = args;
        let wrong = |why: String| ToolError::Text(format!("Error {DOING}: {why}"));
        let normal = normalise_file(path).map_err(|e| failed(DOING, e))?;
        if old_text.is_empty() {
            return Err(wrong(
                "`oldText` is empty; to create a file or replace all of it, use writeFile".into(),
            ));
        }
        if old_text == new_text {
            return Err(wrong("`oldText` and `newText` are the same; nothing was changed".into()));
        }
        let text = self.text(DOING, path, &normal).await?;
        let (old, new) = in_line_ends_of(&text, old_text, new_text);
        let edited = if again && is_done(&text, &old, &new) {
            Edited { text, said: "the edit was made before the worker stopped".to_owned() }
        } else {
            replaced(path, &text, &old, &new, replace_all.unwrap_or(false)).map_err(wrong)?
        };
        let line = ChangeLine {
            message: format!("Edited {normal}"),
            preview: Some(cap::preview(new_text, PREVIEW_UNITS)),
            created_at: at,
            again,
        };
        self.files.write(&normal, &edited.text, &line).await.map_err(|e| failed(DOING, e))?;
        Ok(format!("Successfully edited {path} ({})", edited.said))
    }
}

fn whole(name: &str, value: Option<f64>, default: usize) -> Result<usize, String> {
    match value {
        None => Ok(default),
        Some(value) if value >= 1.0 && value.fract() == 0.0 => Ok(value as usize),
        Some(_) => Err(format!("`{name}` must be a whole number from 1")),
    }
}

/// Lines of a text with their numbers, within `max` bytes, and how to go on where there are more.
fn numbered(given: &str, text: &str, first: usize, limit: usize, max: usize) -> Result<String, String> {
    if text.is_empty() {
        return Ok(format!("[{given} is empty]"));
    }
    let lines = Lines::new(text);
    // Behind the last line end there is no line to show.
    let count = lines.count() - usize::from(text.ends_with(['\n', '\r']));
    if first > count {
        return Err(format!("`offset` is {first}, and {given} has {count} line(s)"));
    }
    let mut out = String::new();
    let mut next = first;
    while next <= count && next - first < limit {
        let line = lines.text(next);
        let shown = head(line);
        let before = out.len();
        out.push_str(&format!("{next:>6}\t{shown}"));
        if shown.len() < line.len() {
            out.push_str(&format!("… [{} of {} characters]", LINE_UNITS, utf16_len(line)));
        }
        out.push('\n');
        if out.len() > max && next > first {
            out.truncate(before);
            break;
        }
        next += 1;
    }
    if next <= count {
        out.push_str(&format!(
            "[Lines {first} to {} of {count} are shown; go on with offset {next}]",
            next - 1
        ));
    }
    Ok(out.trim_end_matches('\n').to_owned())
}

/// As much of a line as is shown.
fn head(line: &str) -> &str {
    if line.len() <= LINE_UNITS {
        return line;
    }
    let mut units = 0;
    let end = line.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > LINE_UNITS
    });
    &line[..end.map_or(line.len(), |(at, _)| at)]
}

/// A model reads lines without their ends and writes `\n`: in a file of `\r\n` that is what it means.
fn in_line_ends_of(text: &str, old: &str, new: &str) -> (String, String) {
    let both = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
    if old.contains('\n') && !text.contains(old) && text.contains(&both(old)) {
        return (both(old), both(new));
    }
    // A single line is found either way, and what takes its place may be several.
    let all_crlf = text.contains("\r\n") && text.matches('\n').count() == text.matches("\r\n").count();
    if all_crlf && !old.contains('\n') && new.contains('\n') {
        return (old.to_owned(), both(new));
    }
    (old.to_owned(), new.to_owned())
}

struct Edited {
    text: String,
    said: String,
}

fn replaced(given: &str, text: &str, old: &str, new: &str, all: bool) -> Result<Edited, String> {
    let places: Vec<usize> = text.match_indices(old).map(|(at, _)| at).collect();
    let lines = Lines::new(text);
    match places[..] {
        [] => Err(match only_blanks_differ(text, old) {
            Some(line) => format!(
                "`oldText` was not found in {given}; in line {line} there is a text that differs only in its whitespace. Read the file again and copy it exactly"
            ),
            None => format!(
                "`oldText` was not found in {given}; it must match exactly, with its whitespace. Read the file again"
            ),
        }),
        [at] => Ok(Edited {
            text: text.replacen(old, new, 1),
            said: format!("1 replacement, line {}", lines.line_at(at)),
        }),
        _ if all => {
            Ok(Edited { text: text.replace(old, new), said: format!("{} replacements", places.len()) })
        }
        _ => {
            let shown: Vec<String> =
                places.iter().take(MAX_PLACES).map(|&at| lines.line_at(at).to_string()).collect();
            let more = if places.len() > MAX_PLACES { ", …" } else { "" };
            Err(format!(
                "`oldText` is {} times in {given} (lines {}{more}); add the lines around it to make it unique, or set `replaceAll`",
                places.len(),
                shown.join(", ")
            ))
        }
    }
}

/// The line where `old` would be found if blanks did not count.
fn only_blanks_differ(text: &str, old: &str) -> Option<usize> {
    let wanted: Vec<&str> = old.split_whitespace().collect();
    let first = *wanted.first()?;
    let starts = text.match_indices(first).map(|(at, _)| at);
    let found = starts.take(1_000).find(|&at| {
        let mut words = text[at..].split_whitespace();
        let last = wanted.len() - 1;
        wanted.iter().enumerate().all(|(n, word)| match words.next() {
            // The text may go on behind the last word.
            Some(there) if n == last => there.starts_with(word),
            there => there == Some(word),
        })
    })?;
    Some(Lines::new(text).line_at(found))
}

/// Whether an edit that may have been made was made: the new text is there, and the old one only
/// inside it.
fn is_done(text: &str, old: &str, new: &str) -> bool {
    if new.is_empty() {
        return !text.contains(old);
    }
    text.contains(new) && !text.replace(new, "\0").contains(old)
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
