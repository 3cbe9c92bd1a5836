//! Which files matter for a question: imports, names, words, edits, nearness, each with its reason.
//! Time grows with the project, not with its square. Pure: reads an index.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::index::{Index, Indexed, is_code};

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

/// The files that matter, most relevant first, ties by path. `stop` is asked now and then.
pub fn rank(index: &Index, question: &Question<'_>, mut stop: impl FnMut() -> bool) -> Vec<Ranked> {
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
    let compact: String = query.split_whitespace().collect();
    let text = (!query.is_empty())
        .then(|| regex::RegexBuilder::new(&regex::escape(&query)).case_insensitive(true).build().ok())
        .flatten();
    let finders: Vec<_> = terms.iter().map(|term| memchr::memmem::Finder::new(term.as_bytes())).collect();
    let current = question.current.and_then(|path| Some((path, index.get(path)?)));
    let empty = HashSet::new();
    let imported: HashSet<&str> = current
        .and_then(|(_, file)| Some(file.code.as_ref()?.targets.iter().flatten().map(AsRef::as_ref).collect()))
        .unwrap_or_default();
    let importers: HashSet<&str> =
        current.map_or(HashSet::new(), |(path, _)| index.importers(path).iter().map(AsRef::as_ref).collect());
    let used: HashSet<&str> = current.map_or(empty, |(_, file)| identifiers(&file.text).collect());

    let mut ranked = Vec::new();
    for (n, (path, file)) in index.files().enumerate() {
        if n % 64 == 0 && stop() {
            break;
        }
        if question.current == Some(path.as_ref()) {
            continue;
        }
        let (mut score, mut reasons) = (0.0, Vec::new());
        let mut add = |points: f64, reason: String| {
            score += points;
            reasons.push(reason);
        };
        if imported.contains(path.as_ref()) {
            add(10.0, "Imported by current file".to_owned());
        }
        if importers.contains(path.as_ref()) {
            add(10.0, "Imports current file".to_owned());
        }
        let exports = file.code.iter().flat_map(|code| &code.facts.exports).map(|export| &*export.name);
        let shared = first_three(exports.filter(|name| *name != "default" && used.contains(name)));
        if let Some(shared) = shared {
            add(5.0, format!("Exports used symbols: {shared}"));
        }
        if !terms.is_empty() {
            let words = words_of(file);
            let matched = finders.iter().zip(&terms).filter(|(f, _)| f.find(words.as_bytes()).is_some());
            let matched: Vec<&str> = matched.map(|(_, term)| term.as_str()).collect();
            if let Some(shown) = first_three(matched.iter().copied()) {
                let share = matched.len() as f64 / terms.len() as f64;
                add(7.0 * share, format!("Contains query terms: {shown}"));
            }
        }
        if !compact.is_empty() && path.to_lowercase().contains(&compact) {
            add(7.0, "Path matches query".to_owned());
        }
        if text.as_ref().is_some_and(|text| text.is_match(&file.text)) {
            add(3.0, "Contains query text".to_owned());
        }
        // What follows ranks the files that matter; it makes no file matter.
        if reasons.is_empty() {
            continue;
        }
        if let Some((points, reason)) = recency(index, path, question.now) {
            score += points;
            reasons.push(reason.to_owned());
        }
        if let Some((current, _)) = current {
            let near = proximity(current, path);
            if near > 0.5 {
                score += 3.0 * near;
                reasons.push("Near current file".to_owned());
            }
            if category(current).is_some_and(|kind| category(path) == Some(kind)) {
                score += 2.0;
                reasons.push("Same file type".to_owned());
            }
        }
        ranked.push(Ranked { path: Arc::clone(path), score, reasons });
    }
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(&b.path)));
    ranked
}

fn first_three<'n>(names: impl Iterator<Item = &'n str>) -> Option<String> {
    let mut shown = String::new();
    for (n, name) in names.take(3).enumerate() {
        let _ = write!(shown, "{}{name}", if n == 0 { "" } else { ", " });
    }
    (!shown.is_empty()).then_some(shown)
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
