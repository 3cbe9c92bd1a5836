//! getRelevantFiles.

use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::project::{Deadline, Looking, listed, spec};
use super::{Access, Tool, ToolError, parse_args};
use crate::code::index::Index;
use crate::code::relevance::{Question, rank};
use crate::model::ToolSpec;
use crate::telemetry::epoch_ms;
use crate::workspace::path::normalise;

const TIME: Duration = Duration::from_secs(10);
const DEFAULT_FILES: f64 = 5.0;
/// The most files that are given, whatever is asked for.
const MAX_FILES: f64 = 50.0;
const DOING: &str = "finding relevant files";

pub(super) struct Bound {
    pub looking: Looking,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Args {
    query: String,
    #[serde(default)]
    current_file: Option<String>,
    #[serde(default)]
    max_files: Option<f64>,
}

impl Tool for Bound {
    fn spec(&self) -> ToolSpec {
        spec(
            "getRelevantFiles",
            "Find the files that matter most for a question: by imports, symbols, words, recent edits and nearness to the current file. Gives scores and reasons.",
            json!({
                "query": { "type": "string", "description": "What you are looking for" },
                "currentFile": { "type": "string", "description": "The file you are working on" },
                "maxFiles": { "type": "number", "description": "How many files to give, 1 to 50. Default: 5" },
            }),
            &["query"],
        )
    }

    fn access(&self, _args: &Value) -> Access {
        Access::Read(String::new())
    }

    fn call<'a>(&'a self, args: &'a Value, _at: f64) -> BoxFuture<'a, Result<String, ToolError>> {
        async move {
            let args: Args = parse_args("getRelevantFiles", args)?;
            let max = self.looking.max_result_bytes;
            let look = move |index: &Index, deadline: &Deadline<'_>| relevant(index, &args, deadline, max);
            self.looking.look(DOING, TIME, look).await?
        }
        .boxed()
    }
}

fn relevant(index: &Index, args: &Args, deadline: &Deadline<'_>, max: usize) -> Result<String, ToolError> {
    if index.project.is_empty() {
        return Ok("No files found in project.".to_owned());
    }
    let given = args.current_file.as_deref().filter(|path| !path.trim().is_empty());
    let current = given
        .map(normalise)
        .transpose()
        .map_err(|error| ToolError::Text(format!("Error {DOING}: `currentFile`: {error}")))?;
    let known = current.as_deref().filter(|path| index.get(path).is_some());
    let mut notes = Vec::new();
    if let (Some(given), None) = (given, known) {
        notes.push(format!(
            "[The current file {given:?} was not found in the project; it was not considered]"
        ));
    }
    let question = Question { query: &args.query, current: known, now: epoch_ms(SystemTime::now()) };
    let count = args.max_files.unwrap_or(DEFAULT_FILES).floor().clamp(1.0, MAX_FILES) as usize;
    let ranked = rank(index, &question, count, || deadline.is_over());
    if deadline.is_over() {
        notes.push(format!("[Timed out after {} s: not all that matters was considered]", TIME.as_secs()));
    }
    notes.extend(index.project.shortfall());
    if ranked.is_empty() {
        let text = format!("No relevant files found for query: \"{}\"", args.query);
        return Ok(std::iter::once(text).chain(notes).collect::<Vec<_>>().join("\n"));
    }
    let lines: Vec<String> = ranked
        .iter()
        .enumerate()
        .map(|(n, file)| {
            format!("{}. {} [score: {:.1}] ({})", n + 1, file.path, file.score, file.reasons.join(", "))
        })
        .collect();
    Ok(listed(format!("Found {} relevant file(s):", lines.len()), lines, notes, max))
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
