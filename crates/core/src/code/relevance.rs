//! Which files matter for a question: imports, names, words, edits, nearness, each with its reason.
//! Time grows with the project, not with its square. Pure: reads an index.

use std::collections::HashSet;
use std::sync::Arc;

use super::index::{Index, Indexed, is_code};
use super::needle::Needle;

/// Words of a question that are looked for.
const MAX_TERMS: usize = 32;
/// Shorter words say too little.
const MIN_WORD: usize = 3;
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
    let judge = Judge::new(index, question);
    let mut scored: Vec<(f64, &Arc<str>, &Indexed)> = Vec::new();
    for (n, (path, file)) in index.files().enumerate() {
        if n % 64 == 0 && stop() {
            break;
        }
        if question.current != Some(path.as_ref())
            && let Some(score) = judge.score(path, file, &mut |_| {})
        {
            scored.push((score, path, file));
        }
    }
    let order = |a: &(f64, &Arc<str>, &Indexed), b: &(f64, &Arc<str>, &Indexed)| {
        b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1))
    };
    if scored.len() > most && most > 0 {
        scored.select_nth_unstable_by(most - 1, order);
    }
    scored.truncate(most);
    scored.sort_unstable_by(order);
    // Reasons are put in words for those that are shown.
    let ranked = scored.into_iter().map(|(score, path, file)| {
        let mut reasons = Vec::new();
        judge.score(path, file, &mut |reason| reasons.push(reason.to_string()));
        Ranked { path: Arc::clone(path), score, reasons }
    });
    ranked.collect()
}

/// Why a file matters.
enum Reason<'r> {
    Is(&'static str),
    Names(&'static str, &'r [&'r str]),
}

impl std::fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Is(what) => f.write_str(what),
            Self::Names(what, names) => write!(f, "{what}: {}", names[..names.len().min(3)].join(", ")),
        }
    }
}

/// What is asked, made ready for many files.
struct Judge<'q> {
    index: &'q Index,
    now: f64,
    current: Option<(&'q str, &'q Arc<Indexed>)>,
    terms: Vec<(String, memchr::memmem::Finder<'static>)>,
    /// The question without blanks, for paths.
    compact: Option<InAnyCase>,
    /// The question as a text.
    text: Option<InAnyCase>,
    imported: HashSet<&'q str>,
    importers: HashSet<&'q str>,
    used: Names<'q>,
}

impl<'q> Judge<'q> {
    fn new(index: &'q Index, question: &Question<'q>) -> Self {
        let query = question.query.trim().to_lowercase();
        let mut terms: Vec<String> = Vec::new();
        for word in query.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$') {
            if word.chars().count() >= MIN_WORD
                && !terms.iter().any(|term| term == word)
                && terms.len() < MAX_TERMS
            {
                terms.push(word.to_owned());
            }
        }
        let current = question.current.and_then(|path| Some((path, index.get(path)?)));
        let code = current.and_then(|(_, file)| file.code.as_ref());
        let importers = current.map_or(&[][..], |(path, _)| index.importers(path));
        Self {
            index,
            now: question.now,
            current,
            terms: terms
                .into_iter()
                .map(|term| {
                    let finder = memchr::memmem::Finder::new(term.as_bytes()).into_owned();
                    (term, finder)
                })
                .collect(),
            compact: InAnyCase::new(&query.split_whitespace().collect::<String>()),
            text: InAnyCase::new(&query),
            imported: code
                .into_iter()
                .flat_map(|code| code.targets.iter().flatten())
                .map(AsRef::as_ref)
                .collect(),
            importers: importers.iter().map(AsRef::as_ref).collect(),
            used: Names::new(current.into_iter().flat_map(|(_, file)| identifiers(&file.text))),
        }
    }

    /// The score of a file that matters, each reason told.
    fn score(&self, path: &str, file: &Indexed, tell: &mut dyn FnMut(Reason<'_>)) -> Option<f64> {
        let mut score = 0.0;
        let mut add = |points: f64, reason: Reason<'_>| {
            score += points;
            tell(reason);
        };
        if self.imported.contains(path) {
            add(10.0, Reason::Is("Imported by current file"));
        }
        if self.importers.contains(path) {
            add(10.0, Reason::Is("Imports current file"));
        }
        let mut shared = [""; 3];
        let exports = file.code.iter().flat_map(|code| &code.facts.exports).map(|export| &*export.name);
        let shared =
            first(&mut shared, exports.filter(|name| *name != "default" && self.used.contains(name)));
        if !shared.is_empty() {
            add(5.0, Reason::Names("Exports used symbols", shared));
        }
        let mut all_terms = true;
        if !self.terms.is_empty() {
            let words = words_of(file).as_bytes();
            let mut matched = [""; MAX_TERMS];
            let found = self.terms.iter().filter(|(_, finder)| finder.find(words).is_some());
            let matched = first(&mut matched, found.map(|(term, _)| term.as_str()));
            all_terms = matched.len() == self.terms.len();
            if !matched.is_empty() {
                let share = matched.len() as f64 / self.terms.len() as f64;
                add(7.0 * share, Reason::Names("Contains query terms", matched));
            }
        }
        if self.compact.as_ref().is_some_and(|compact| compact.is_in_short(path)) {
            add(7.0, Reason::Is("Path matches query"));
        }
        // The whole question is only where each of its words is.
        if all_terms && self.text.as_ref().is_some_and(|text| text.is_in(&file.text)) {
            add(3.0, Reason::Is("Contains query text"));
        }
        // What follows ranks the files that matter; it makes no file matter.
        if score == 0.0 {
            return None;
        }
        let mut add = |points: f64, reason: &'static str| {
            score += points;
            tell(Reason::Is(reason));
        };
        if let Some((points, reason)) = recency(self.index, path, self.now) {
            add(points, reason);
        }
        if let Some((current, _)) = self.current {
            let near = proximity(current, path);
            if near > 0.5 {
                add(3.0 * near, "Near current file");
            }
            if category(current).is_some_and(|kind| category(path) == Some(kind)) {
                add(2.0, "Same file type");
            }
        }
        Some(score)
    }
}

/// As many of the names as there is room for.
fn first<'r, 'n>(room: &'r mut [&'n str], names: impl Iterator<Item = &'n str>) -> &'r [&'n str] {
    let mut count = 0;
    for (place, name) in room.iter_mut().zip(names) {
        *place = name;
        count += 1;
    }
    &room[..count]
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

    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Ascii(needle) => needle.is_in(text),
            Self::Other(regex) => regex.is_match(text),
        }
    }

    fn is_in_short(&self, text: &str) -> bool {
        match self {
            Self::Ascii(needle) => needle.is_in_short(text),
            Self::Other(regex) => regex.is_match(text),
        }
    }
}

/// Names that most others are told from by three bytes of them.
struct Names<'n> {
    names: HashSet<&'n str>,
    seen: Box<[u64; 64]>,
}

impl<'n> Names<'n> {
    fn new(names: impl Iterator<Item = &'n str>) -> Self {
        let names: HashSet<&str> = names.collect();
        let mut seen = Box::new([0; 64]);
        for (word, bit) in names.iter().filter_map(|name| Self::place(name)) {
            seen[word] |= bit;
        }
        Self { names, seen }
    }

    fn place(name: &str) -> Option<(usize, u64)> {
        let bytes = name.as_bytes();
        let (first, last) = (usize::from(*bytes.first()?), usize::from(*bytes.last()?));
        let at = (first.wrapping_mul(31) ^ last.wrapping_mul(7) ^ bytes.len().wrapping_mul(131)) % 4_096;
        Some((at / 64, 1 << (at % 64)))
    }

    fn contains(&self, name: &str) -> bool {
        Self::place(name).is_some_and(|(word, bit)| self.seen[word] & bit != 0) && self.names.contains(name)
    }
}

/// The words of a text as they stand, those that are long enough.
fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').filter(|word| word.len() >= MIN_WORD)
}

/// Each word of a file once, in lower case, one a line. Worked out once for a text.
fn words_of(file: &Indexed) -> &str {
    file.words.get_or_init(|| {
        let unique: HashSet<&str> = identifiers(&file.text).collect();
        let mut words = String::new();
        for word in unique {
            words.push_str(&word.to_lowercase());
            words.push('\n');
        }
        words.into()
    })
}

fn recency(index: &Index, path: &str, now: f64) -> Option<(f64, &'static str)> {
    let updated_at = index.project.get(path)?.updated_at;
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
    let (a, b) = (a.rsplit_once('/').map_or("", |(f, _)| f), b.rsplit_once('/').map_or("", |(f, _)| f));
    let names = |folder: &str| {
        folder.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let common = names(a).iter().zip(&names(b)).take_while(|(a, b)| a == b).count();
    common as f64 / deepest as f64
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
