//! Which files matter for a question: imports, names, words, edits, nearness, each with its reason.
//! Time grows with the project, not with its square. Pure: reads an index.

use std::collections::HashSet;
use std::sync::Arc;

use super::index::{Index, is_code};
use super::needle::Needle;
use super::survey::{Survey, exports};
use super::words::{MIN_WORD, Part, Words, identifiers, is_in_word};

/// Words of a question that are looked for: one bit each.
const MAX_TERMS: usize = u32::BITS as usize;
const HOUR_MS: f64 = 3_600_000.0;

/// What is asked.
#[derive(Debug)]
pub struct Question<'q> {
    /// The words.
    pub query: &'q str,
    /// The file that is open: it is in the project.
    pub current: Option<&'q str>,
    /// Now, ms since 1970.
    pub now: f64,
}

/// A file that matters.
#[derive(Debug)]
pub struct Ranked {
    /// The file.
    pub path: Arc<str>,
    /// How much.
    pub score: f64,
    /// Why.
    pub reasons: Vec<String>,
}

/// The files that matter, most relevant first, ties by path, at most `most`. `stop` is asked now and
/// then.
pub fn rank(
    index: &Index,
    question: &Question<'_>,
    most: usize,
    mut stop: impl FnMut() -> bool,
) -> Vec<Ranked> {
    let Some(judge) = Judge::new(index, question, &mut stop) else { return Vec::new() };
    let scores = (0..judge.marks.len()).filter_map(|at| Some((judge.score(at, None)?, at)));
    let mut scored: Vec<(f64, usize)> = scores.collect();
    // Places are in the order of paths.
    let order = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1));
    if scored.len() > most && most > 0 {
        scored.select_nth_unstable_by(most - 1, order);
    }
    scored.truncate(most);
    scored.sort_unstable_by(order);
    // Reasons are put in words for those that are shown.
    let ranked = scored.into_iter().map(|(score, at)| {
        let mut reasons = Vec::new();
        judge.score(at, Some(&mut reasons));
        Ranked { path: Arc::clone(&judge.words.texts()[at].0), score, reasons }
    });
    ranked.collect()
}

/// What is found out of a file by looks at all files.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    is_imported: bool,
    is_importer: bool,
    exports_used: bool,
    path_matches: bool,
    has_text: bool,
    /// One bit for each term that is in it.
    terms: u32,
}

/// A question and what the files say to it.
struct Judge<'q> {
    index: &'q Index,
    survey: &'q Survey,
    words: Arc<Words>,
    now: f64,
    current: Option<Current<'q>>,
    terms: Vec<String>,
    marks: Vec<Marks>,
}

/// The file that is open.
struct Current<'q> {
    path: &'q str,
    at: Option<usize>,
    category: Option<&'static str>,
    /// Names that it uses.
    used: HashSet<&'q str>,
}

impl<'q> Judge<'q> {
    /// `None` if `stop` says so before anything is known.
    fn new(index: &'q Index, question: &Question<'q>, stop: &mut impl FnMut() -> bool) -> Option<Self> {
        let query = question.query.trim().to_lowercase();
        let words = index.words(stop)?;
        let current = question.current.and_then(|path| {
            let used = identifiers(&index.get(path)?.text).collect();
            let at = place_of(&words, path);
            Some(Current { path, at, category: category(path), used })
        });
        let marks = vec![Marks::default(); words.texts().len()];
        let (terms, now, survey) = (terms_of(&query), question.now, index.survey());
        let mut judge = Self { index, survey, words, now, current, terms, marks };
        judge.follow_imports();
        judge.find_exporters();
        judge.find_terms(stop);
        judge.find_query(&query, stop);
        Some(judge)
    }

    fn follow_imports(&mut self) {
        let Some(Current { path, .. }) = self.current else { return };
        let targets = self.index.code_of(path).into_iter().flat_map(|code| code.targets.iter().flatten());
        for at in targets.filter_map(|target| place_of(&self.words, target)) {
            self.marks[at].is_imported = true;
        }
        for at in self.index.importers(path).iter().filter_map(|path| place_of(&self.words, path)) {
            self.marks[at].is_importer = true;
        }
    }

    fn find_exporters(&mut self) {
        let Some(Current { used, .. }) = &self.current else { return };
        self.survey.for_exporters(used, |at| {
            let mut exports = exports(self.index, self.survey.path(at));
            self.marks[at].exports_used = exports.any(|name| used.contains(name));
        });
    }

    fn find_terms(&mut self, stop: &mut impl FnMut() -> bool) {
        for (n, term) in self.terms.iter().enumerate() {
            if stop() {
                return;
            }
            if let Some(part) = Part::new(term, false, false) {
                self.words.having(&part, |at| self.marks[at].terms |= 1 << n);
            }
        }
    }

    fn find_query(&mut self, query: &str, stop: &mut impl FnMut() -> bool) {
        // Without blanks, for paths.
        if let Some(compact) = InAnyCase::new(&query.split_whitespace().collect::<String>()) {
            let find = |paths: &str, from| compact.find(paths, from);
            self.survey.for_paths(find, |at| self.marks[at].path_matches = true);
        }
        let Some(whole) = InAnyCase::new(query) else { return };
        for (n, (_, text)) in self.words.texts().iter().enumerate() {
            if n % 64 == 0 && stop() {
                return;
            }
            // The whole question is only where each of its words is.
            if self.marks[n].terms.count_ones() as usize == self.terms.len() {
                self.marks[n].has_text = whole.find(text, 0).is_some();
            }
        }
    }

    /// The score of a file that matters, and why, if that is asked.
    fn score(&self, at: usize, reasons: Option<&mut Vec<String>>) -> Option<f64> {
        if self.current.as_ref().is_some_and(|current| current.at == Some(at)) {
            return None;
        }
        let marks = self.marks[at];
        let mut sum = Sum { score: 0.0, reasons };
        sum.add_if(marks.is_imported, 10.0, || "Imported by current file".to_owned());
        sum.add_if(marks.is_importer, 10.0, || "Imports current file".to_owned());
        sum.add_if(marks.exports_used, 5.0, || named("Exports used symbols", self.shared_names(at)));
        let share = f64::from(marks.terms.count_ones()) / self.terms.len().max(1) as f64;
        sum.add_if(marks.terms != 0, 7.0 * share, || named("Contains query terms", self.terms_in(at)));
        sum.add_if(marks.path_matches, 7.0, || "Path matches query".to_owned());
        sum.add_if(marks.has_text, 3.0, || "Contains query text".to_owned());
        // What follows ranks the files that matter; it makes no file matter.
        if sum.score == 0.0 {
            return None;
        }
        if let Some((points, reason)) = recency(self.survey.updated_at(at), self.now) {
            sum.add_if(true, points, || reason.to_owned());
        }
        if let Some(current) = &self.current {
            let path = self.survey.path(at);
            let near = proximity(current.path, path);
            sum.add_if(near > 0.5, 3.0 * near, || "Near current file".to_owned());
            let is_same = current.category.is_some_and(|kind| category(path) == Some(kind));
            sum.add_if(is_same, 2.0, || "Same file type".to_owned());
        }
        Some(sum.score)
    }

    fn shared_names(&self, at: usize) -> impl Iterator<Item = &str> {
        let used = self.current.as_ref().map(|current| &current.used);
        exports(self.index, self.survey.path(at))
            .filter(move |name| used.is_some_and(|used| used.contains(name)))
    }

    fn terms_in(&self, at: usize) -> impl Iterator<Item = &str> {
        let found = self.marks[at].terms;
        (0..).zip(&self.terms).filter(move |(n, _)| found & (1 << n) != 0).map(|(_, term)| term.as_str())
    }
}

/// The points of a file, and what each is for.
struct Sum<'r> {
    score: f64,
    reasons: Option<&'r mut Vec<String>>,
}

impl Sum<'_> {
    fn add_if(&mut self, is_so: bool, points: f64, reason: impl FnOnce() -> String) {
        if is_so {
            self.score += points;
            if let Some(reasons) = &mut self.reasons {
                reasons.push(reason());
            }
        }
    }
}

fn place_of(words: &Words, path: &str) -> Option<usize> {
    words.texts().binary_search_by(|(known, _)| (**known).cmp(path)).ok()
}

/// The words of a question that are looked for.
fn terms_of(query: &str) -> Vec<String> {
    let mut terms: Vec<String> = Vec::new();
    for word in query.split(|c| !is_in_word(c)) {
        if word.chars().count() >= MIN_WORD
            && !terms.iter().any(|term| term == word)
            && terms.len() < MAX_TERMS
        {
            terms.push(word.to_owned());
        }
    }
    terms
}

/// A reason with the first names that it is about.
fn named<'n>(what: &str, names: impl Iterator<Item = &'n str>) -> String {
    const MAX_NAMES: usize = 3;
    format!("{what}: {}", names.take(MAX_NAMES).collect::<Vec<_>>().join(", "))
}

/// A text that is looked for in any case.
enum InAnyCase {
    Ascii(Needle),
    Other(Box<regex::Regex>),
}

impl InAnyCase {
    fn new(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        if let Some(needle) = Needle::new(text) {
            return Some(Self::Ascii(needle));
        }
        let regex = regex::RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build();
        regex.ok().map(|regex| Self::Other(Box::new(regex)))
    }

    fn find(&self, text: &str, from: usize) -> Option<usize> {
        match self {
            Self::Ascii(needle) => needle.find(text.as_bytes(), from),
            Self::Other(regex) => regex.find_at(text, from).map(|found| found.start()),
        }
    }
}

fn recency(updated_at: f64, now: f64) -> Option<(f64, &'static str)> {
    let age = now - updated_at;
    match age {
        _ if updated_at <= 0.0 => None,
        age if age < HOUR_MS => Some((5.0, "Edited within last hour")),
        age if age < 24.0 * HOUR_MS => Some((2.5, "Edited within last day")),
        age if age < 168.0 * HOUR_MS => Some((1.0, "Edited within last week")),
        _ => None,
    }
}

/// How much of the way to the deeper of two files they have in common, 0 to 1.
fn proximity(a: &str, b: &str) -> f64 {
    let folders = |path: &str| path.matches('/').count();
    let deepest = folders(a).max(folders(b));
    if deepest == 0 {
        return 1.0;
    }
    let common = folders_of(a).zip(folders_of(b)).take_while(|(a, b)| a == b).count();
    common as f64 / deepest as f64
}

fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    path.rsplit_once('/').into_iter().flat_map(|(folders, _)| folders.split('/'))
}

fn category(path: &str) -> Option<&'static str> {
    let ending = path.rsplit_once('.')?.1;
    Some(match ending {
        "ts" | "tsx" | "mts" | "cts" => "ts",
        "js" | "jsx" | "mjs" | "cjs" => "js",
        "css" | "scss" | "sass" | "less" => "css",
        "html" | "xml" | "svg" => "html",
        "json" | "yaml" | "yml" | "toml" => "json",
        "md" | "mdx" => "md",
        _ if is_code(path) => "ts",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearness_is_the_common_way() {
        assert_eq!(proximity("a.ts", "b.ts"), 1.0);
        assert_eq!(proximity("src/a.ts", "src/b.ts"), 1.0);
        assert_eq!(proximity("src/a/x.ts", "src/b/y.ts"), 0.5);
        assert_eq!(proximity("src/a/x.ts", "y.ts"), 0.0);
    }
}
