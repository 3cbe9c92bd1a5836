//! searchFiles: a pattern in the texts of a project.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Deserialize;

use super::ToolError;
use super::project::{Deadline, listed, timed_out, with_notes};
use super::search::glob;
use crate::code::glob::Pattern;
use crate::code::grep::{self, Found, MAX_COUNT, MAX_RESULTS, Stopped};
use crate::code::script_regex::{ScriptRegex, is_plain};
use crate::code::words::{Part, Shelf, Words};
use crate::workspace::snapshot::Project;

pub(super) const DOING: &str = "searching files";
/// Time for a pattern that takes linear time.
const TIME: Duration = Duration::from_secs(10);
/// Time for one that backtracks.
const BACKTRACKING_TIME: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct FilesArgs {
    pattern: String,
    #[serde(default)]
    file_pattern: Option<String>,
    #[serde(default)]
    case_sensitive: Option<bool>,
}

/// A path and its text.
type Text<'t> = (&'t Arc<str>, &'t Arc<str>);

/// A search in the texts of a project.
pub(super) struct TextSearch {
    args: FilesArgs,
    regex: ScriptRegex,
    /// Of the files.
    pattern: Option<Pattern>,
}

impl TextSearch {
    /// # Errors
    /// For the model: what is wrong with a pattern.
    pub(super) fn new(args: FilesArgs) -> Result<Self, ToolError> {
        let regex = ScriptRegex::new(&args.pattern, args.case_sensitive.unwrap_or(false))
            .map_err(|why| ToolError::Text(format!("Invalid regex pattern: {why}")))?;
        let pattern = glob(DOING, args.file_pattern.as_deref())?;
        Ok(Self { args, regex, pattern })
    }

    /// What it finds, in `max` bytes; it ends early when `gone` is set.
    pub(super) fn run(
        &self,
        project: &Arc<Project>,
        shelf: &Arc<Shelf>,
        gone: &AtomicBool,
        max: usize,
    ) -> String {
        let time = if matches!(self.regex, ScriptRegex::Linear(..)) { TIME } else { BACKTRACKING_TIME };
        let deadline = Deadline::new(gone, time);
        if project.is_empty() {
            return "No files found in project.".to_owned();
        }
        let words = self.words(project, shelf);
        let (mut skipped, texts) = match &words {
            // What is not among its words is in no text.
            Some((words, parts)) => self.searchable(words.having_all(parts)),
            None => self.searchable(all_texts(project)),
        };
        let found = grep::search(&texts, &self.regex, || deadline.is_over());
        let shortfall = project.shortfall();
        if found.total > 0 && found.stopped.is_none() {
            return told(found, shortfall.into_iter().collect(), max);
        }
        // What else must be said counts the files that need not be looked at, too.
        let mut all = texts.len();
        if words.is_some() {
            let (generated, texts) = self.searchable(all_texts(project));
            (skipped, all) = (generated, texts.len());
        }
        let skip = (skipped > 0).then(|| {
            format!(
                "[{skipped} lock, minified or generated file(s) were skipped; name them in filePattern to search them]"
            )
        });
        if all == 0 {
            let text = match self.pattern {
                Some(_) => format!("No files matching pattern \"{}\" found.", self.given()),
                None => "No searchable files found in project.".to_owned(),
            };
            return with_notes(text, skip.into_iter().chain(shortfall).collect());
        }
        let searched = all - texts.len() + found.files;
        let mut notes = Vec::new();
        match found.stopped {
            Some(Stopped::Told) => notes.push(timed_out(time, searched, all, "files")),
            Some(Stopped::Backtracking) => notes.push(format!(
                "[Stopped: the pattern needs too much backtracking; {searched} of {all} files were searched. Look-around and backreferences are the cause]"
            )),
            Some(Stopped::Enough) | None => {}
        }
        notes.extend(shortfall);
        if found.total > 0 {
            return told(found, notes, max);
        }
        let pattern = &self.args.pattern;
        let within = match self.pattern {
            Some(_) => format!(" in files matching \"{}\"", self.given()),
            None => String::new(),
        };
        if notes.is_empty() {
            notes.extend(skip);
            return with_notes(format!("No matches found for pattern \"{pattern}\"{within}."), notes);
        }
        with_notes(format!("Stopped early, no match so far for pattern \"{pattern}\"{within}."), notes)
    }

    /// The words of the project, and which of them a match has: of a plain text, if they are known.
    pub(super) fn words(
        &self,
        project: &Arc<Project>,
        shelf: &Arc<Shelf>,
    ) -> Option<(Arc<Words>, Vec<Part>)> {
        let pattern = &self.args.pattern;
        let parts = if is_plain(pattern) { Part::all_of(pattern) } else { Vec::new() };
        if parts.is_empty() {
            return None;
        }
        Some((shelf.known_words(project)?, parts))
    }

    fn given(&self) -> &str {
        self.args.file_pattern.as_deref().unwrap_or_default()
    }

    /// The texts that are wanted and written by hand; and how many are wanted, but were not written.
    fn searchable<'t>(&self, texts: impl IntoIterator<Item = Text<'t>>) -> (usize, Vec<Text<'t>>) {
        let pattern = self.pattern.as_ref();
        let mut skipped = 0;
        let wanted =
            texts.into_iter().filter(|(path, _)| pattern.is_none_or(|pattern| pattern.matches(path)));
        let kept = wanted.filter(|(path, text)| {
            let is_generated = grep::is_generated(path, text, pattern);
            skipped += usize::from(is_generated);
            !is_generated
        });
        let kept = kept.collect();
        (skipped, kept)
    }
}

fn all_texts(project: &Project) -> impl Iterator<Item = Text<'_>> {
    project.texts().map(|(path, _, text)| (path, text))
}

fn told(found: Found, notes: Vec<String>, max: usize) -> String {
    let count = match found.stopped {
        Some(Stopped::Enough) => format!("{MAX_COUNT}+"),
        _ => found.total.to_string(),
    };
    let cut = match found.total > found.shown.len() {
        true => format!(" (showing first {MAX_RESULTS})"),
        false => String::new(),
    };
    listed(format!("Found {count} match(es){cut}:"), found.shown, notes, max)
}
