//! What the tools that look at a whole project share: its index, the deadline of a look, the form of
//! their answers. They read only, and never on a thread that others wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ToolError;
use crate::code::index::{Index, Indexer, is_code, on_thread};
use crate::model::ToolSpec;
use crate::workspace::FileError;
use crate::workspace::path::normalise;
use crate::workspace::snapshot::{Content, Project};

/// What the tools of a run look at.
#[derive(Debug, Clone)]
pub(super) struct Looking {
    pub indexer: Arc<Indexer>,
    pub max_result_bytes: usize,
}

/// Whether a look must end: nobody waits any more, or its time is up.
pub(super) struct Deadline<'g> {
    gone: &'g AtomicBool,
    until: Instant,
}

impl<'g> Deadline<'g> {
    pub(super) fn new(gone: &'g AtomicBool, time: Duration) -> Self {
        Self { gone, until: Instant::now() + time }
    }

    pub(super) fn is_over(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || Instant::now() >= self.until
    }
}

impl Looking {
    /// Looks at the index of the project as it is now. `doing` begins the text of a failure.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        doing: &str,
        time: Duration,
        look: impl FnOnce(&Index, &Deadline<'_>) -> T + Send + 'static,
    ) -> Result<T, ToolError> {
        let index = self.indexer.current().await.map_err(|error| failed(doing, error))?;
        let looked = on_thread(move |gone| look(&index, &Deadline::new(gone, time)));
        looked.await.map_err(|error| failed(doing, error))
    }
}

/// `Error <doing>: <why>` for what the project refuses; what the store cannot do ends the run.
pub(super) fn failed(doing: &str, error: FileError) -> ToolError {
    match error {
        FileError::Refused(why) => ToolError::Text(format!("Error {doing}: {why}")),
        FileError::Store(error) => ToolError::Fatal(error),
    }
}

/// A tool's description; `required` names parameters.
pub(super) fn spec(name: &str, description: &str, properties: Value, required: &[&str]) -> ToolSpec {
    let mut parameters = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        parameters["required"] = json!(required);
    }
    ToolSpec { name: name.to_owned(), description: description.to_owned(), parameters }
}

/// The text of a file of code, by a path as the model gave it.
pub(super) fn code_path(project: &Project, doing: &str, path: &str) -> Result<Arc<str>, ToolError> {
    let wrong = |why: String| ToolError::Text(format!("Error {doing}: {why}"));
    let normal = normalise(path).map_err(|error| wrong(error.to_string()))?;
    if project.is_empty() {
        return Err(ToolError::Text("No files found in project.".to_owned()));
    }
    let Some(file) = project.get(&normal) else {
        return Err(if normal.is_empty() || project.is_folder(&normal) {
            wrong(format!("{path} is a folder"))
        } else {
            ToolError::Text(format!("File not found: {path}"))
        });
    };
    if !is_code(&normal) {
        let name = normal.rsplit('/').next().unwrap_or(&normal);
        let ending = name.rsplit_once('.').map_or_else(|| "no ending".to_owned(), |(_, e)| format!(".{e}"));
        return Err(wrong(format!(
            "{path} is not a TypeScript or JavaScript file ({ending}); supported are .ts, .tsx, .js, .jsx, .mts, .cts, .mjs, .cjs"
        )));
    }
    match file.content {
        Content::Text(_) => Ok(normal.into()),
        Content::Binary => Err(wrong(format!("{path} is a binary file"))),
        Content::LeftOut => Err(wrong(format!("the project is too large: {path} is not loaded"))),
    }
}

/// A line of a list, whole or in the parts that it lies in.
pub(super) trait Line {
    fn parts(&self) -> [&str; 2];
}

impl Line for String {
    fn parts(&self) -> [&str; 2] {
        [self, ""]
    }
}

impl Line for (&str, &str) {
    fn parts(&self) -> [&str; 2] {
        [self.0, self.1]
    }
}

/// A head line and list lines within `max` bytes, and what must be said below them.
pub(super) fn listed<L: Line>(head: String, lines: Vec<L>, notes: Vec<String>, max: usize) -> String {
    let length = |line: &L| line.parts().map(str::len).iter().sum::<usize>() + 1;
    let total = lines.len();
    let mut text = head;
    text.reserve(lines.iter().map(length).sum::<usize>().min(max));
    let mut shown = 0;
    for line in &lines {
        if text.len() + length(line) > max && shown > 0 {
            break;
        }
        text.push('\n');
        for part in line.parts() {
            text.push_str(part);
        }
        shown += 1;
    }
    if shown < total {
        text.push_str(&format!("\n[Showing {shown} of {total} lines: the result is limited to {max} bytes]"));
    }
    for note in notes {
        text.push('\n');
        text.push_str(&note);
    }
    text
}

/// A text, and what must be said below it.
pub(super) fn with_notes(text: String, notes: Vec<String>) -> String {
    std::iter::once(text).chain(notes).collect::<Vec<_>>().join("\n")
}

/// What a look that ran out of time says: with its limit, and how far it came.
pub(super) fn timed_out(time: Duration, done: usize, all: usize, what: &str) -> String {
    format!("[Timed out after {} s: {done} of {all} {what} were searched]", time.as_secs())
}
