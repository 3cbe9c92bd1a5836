//! Search in the lines of many texts. The first results are shared out over the files, so that one
//! file cannot fill them. Pure, but for a look at whether to stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use super::glob::Pattern;
use super::index;
use super::lines::{Lines, trimmed, utf16_len};
use super::script_regex::{ScriptRegex, TooMuchBacktracking};

/// Results that are shown.
pub const MAX_RESULTS: usize = 50;
/// Matches after which counting stops.
pub const MAX_COUNT: usize = 10_000;
/// UTF-16 units of a line that are shown.
const LINE_UNITS: usize = 120;
/// A text is taken for minified when it has more bytes than this …
const MINIFIED_BYTES: usize = 20_000;
/// … and its lines have more than this on average.
const MINIFIED_LINE_BYTES: usize = 1_000;

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// All matches, up to [`MAX_COUNT`].
    pub total: usize,
    /// The lines to show, by path and place.
    pub shown: Vec<String>,
    /// Files that were looked at.
    pub files: usize,
    /// Why it ended before the last file, if it did.
    pub stopped: Option<Stopped>,
}

/// Why a search ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// [`MAX_COUNT`] matches.
    Enough,
    /// It was told to.
    Told,
    /// The pattern backtracks too much.
    Backtracking,
}

/// Searches the texts in their order; `stop` is asked before each.
pub fn search(
    texts: &[(&Arc<str>, &Arc<str>)],
    regex: &ScriptRegex,
    stop: impl Fn() -> bool + Sync,
) -> Found {
    let mut found = Found::default();
    let mut by_file: Vec<VecDeque<String>> = Vec::new();
    for (&(path, text), may_match) in texts.iter().zip(candidates(texts, regex, &stop)) {
        if stop() {
            found.stopped = Some(Stopped::Told);
            break;
        }
        found.files += 1;
        if !may_match {
            continue;
        }
        let mut hits = VecDeque::new();
        let result = in_text(path, text, regex, found.total, &mut hits, &stop);
        match result {
            Ok(count) => found.total += count,
            Err(TooMuchBacktracking) => found.stopped = Some(Stopped::Backtracking),
        }
        if !hits.is_empty() {
            by_file.push(hits);
        }
        if found.total >= MAX_COUNT {
            found.total = MAX_COUNT;
            found.stopped = Some(Stopped::Enough);
        }
        if found.stopped.is_some() {
            break;
        }
    }
    // One of each file, then one more of each, until there are enough.
    let mut taken = vec![0; by_file.len()];
    let mut left = MAX_RESULTS;
    for round in 0..MAX_RESULTS {
        for (hits, taken) in by_file.iter().zip(&mut taken) {
            if left > 0 && hits.len() > round {
                *taken += 1;
                left -= 1;
            }
        }
    }
    found.shown =
        by_file.into_iter().zip(taken).flat_map(|(hits, taken)| hits.into_iter().take(taken)).collect();
    found
}

/// Of each text, whether the pattern may be in it: looked at on all cores, as most texts of a large project
/// do not have what is searched.
fn candidates(
    texts: &[(&Arc<str>, &Arc<str>)],
    regex: &ScriptRegex,
    stop: &(impl Fn() -> bool + Sync),
) -> Vec<bool> {
    const TEXTS_PER_THREAD: usize = 256;
    let mut may_match = vec![true; texts.len()];
    let threads = index::threads_for(texts.len(), TEXTS_PER_THREAD);
    if threads < 2 {
        return may_match;
    }
    let size = texts.len().div_ceil(threads);
    thread::scope(|scope| {
        for (texts, may_match) in texts.chunks(size).zip(may_match.chunks_mut(size)) {
            let look = move || {
                for ((_, text), may_match) in texts.iter().zip(may_match) {
                    if stop() {
                        return;
                    }
                    *may_match = regex.hint(text, 0).is_some();
                }
            };
            // Where none can be started, all of its texts may match.
            drop(index::builder().spawn_scoped(scope, look));
        }
    });
    may_match
}

fn in_text(
    path: &str,
    text: &str,
    regex: &ScriptRegex,
    before: usize,
    hits: &mut VecDeque<String>,
    stop: &impl Fn() -> bool,
) -> Result<usize, TooMuchBacktracking> {
    let Some(hint) = regex.hint(text, 0) else { return Ok(0) };
    let lines = Lines::new(text);
    let mut count = 0;
    let mut line = lines.line_at(hint);
    // Hints are good for patterns that stay in their line; others are better off without.
    let mut trusts_hints = true;
    while line <= lines.count() {
        let content = lines.text(line);
        let starts = regex.starts(content)?;
        for &start in starts.iter().take(MAX_RESULTS.saturating_sub(hits.len())) {
            let column = utf16_len(&content[..start]) + 1;
            hits.push_back(format!("{path}:{line}:{column} - {}", trimmed(content, LINE_UNITS)));
        }
        count += starts.len();
        trusts_hints &= !starts.is_empty();
        if before + count >= MAX_COUNT || (line.is_multiple_of(256) && stop()) {
            break;
        }
        line += 1;
        if trusts_hints && line <= lines.count() {
            match regex.hint(text, lines.start(line)) {
                Some(hint) => line = lines.line_at(hint),
                None => break,
            }
        }
    }
    Ok(count)
}

/// Whether a file is one that nobody wrote by hand: what is found there helps nobody. `pattern` may ask
/// for it by name.
pub fn is_generated(path: &str, text: &str, pattern: Option<&Pattern>) -> bool {
    const FOLDERS: [&str; 7] = ["node_modules", "dist", "build", ".next", "coverage", ".turbo", ".cache"];
    const LOCKS: [&str; 11] = [
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "bun.lock",
        "bun.lockb",
        "deno.lock",
        "Cargo.lock",
        "composer.lock",
        "poetry.lock",
        "Gemfile.lock",
    ];
    let asks = |word: &str| pattern.is_some_and(|pattern| pattern.names(word));
    if pattern.is_some_and(|pattern| pattern.is(path)) {
        return false;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    if LOCKS.contains(&name) {
        return !asks("lock") && !asks("shrinkwrap");
    }
    if path.split('/').rev().skip(1).any(|folder| FOLDERS.contains(&folder) && !asks(folder)) {
        return true;
    }
    if name.contains(".min.") {
        return !asks(".min");
    }
    if name.ends_with(".map") {
        return !asks(".map");
    }
    let is_minified = text.len() > MINIFIED_BYTES
        && super::index::is_code(name)
        && text.len() / (memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1) > MINIFIED_LINE_BYTES;
    is_minified && !asks(name)
}
